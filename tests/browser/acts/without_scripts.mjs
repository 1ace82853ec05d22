// Signs in, sorts, turns the page of, searches and exports a table, and signs out, all with JavaScript switched off.
import { open, signIn } from "./watch.mjs";

const firstCell = (page) => page.locator("tbody tr:first-child td:first-child").innerText();
const count = (page) => page.locator("caption .count").innerText();

export async function run(tools, job) {
  const context = await open(tools, { ...job, scripts: false });
  try {
    const page = await context.newPage();
    await signIn(page, job);
    await page.goto(job.table);
    const told = { first: await firstCell(page), count: await count(page) };
    await page.locator("thead th:first-child a").click();
    told.sorted = await firstCell(page);
    told.order = await page.locator("thead th:first-child").getAttribute("aria-sort");
    await page.locator("a[rel=next]").click();
    told.next = await count(page);
    await page.goto(job.table);
    await page.getByRole("searchbox").fill(job.search);
    await page.getByRole("searchbox").press("Enter");
    told.found = await count(page);
    told.address = new URL(page.url()).search;
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("a.csv").click()]);
    told.csv = download.suggestedFilename();
    await page.getByRole("button", { name: "Sign out" }).click();
    told.after = new URL(page.url()).pathname;
    return told;
  } finally {
    await context.close();
  }
}
