// Sorts, pages and searches a table with scripts and keyboard alone: in place, without a new page, the focus kept.
import { signedIn, watch } from "./watch.mjs";

export async function run(tools, job) {
  const context = await signedIn(tools, job);
  try {
    const page = await context.newPage();
    const { seen, settle } = await watch(page, job.base);
    await page.goto(job.table);
    await settle();
    await page.evaluate(() => (window.dkmSame = true));
    const told = {};
    const heading = () => page.locator(`thead th:has(a:text-is("${job.heading}"))`);
    told.before = await heading().getAttribute("aria-sort");
    await heading().locator("a").focus();
    await page.keyboard.press("Enter");
    await settle();
    told.after = await heading().getAttribute("aria-sort");
    told.focused = await page.evaluate(() => document.activeElement.textContent.trim());
    told.column = await page.locator("tbody tr").evaluateAll(
      (rows, at) => rows.map((row) => row.cells[at].innerText), await heading().evaluate((th) => th.cellIndex));
    await page.locator("a[rel=next]").focus();
    await page.keyboard.press("Enter");
    await settle();
    told.page = await page.locator("caption .count").innerText();
    await page.getByRole("searchbox").focus();
    await page.keyboard.type(job.search);
    await page.keyboard.press("Enter");
    await settle();
    told.found = await page.locator("caption .count").innerText();
    told.typed = await page.getByRole("searchbox").inputValue();
    told.same = await page.evaluate(() => window.dkmSame === true);
    told.problems = seen.problems;
    return told;
  } finally {
    await context.close();
  }
}
