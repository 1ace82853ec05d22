// Looks for people before and after their real names are unlocked by the account's password; what was run, and what is seen.
import { look } from "./look.mjs";
import { signedIn, watch } from "./watch.mjs";

const column = (page, title) =>
  page.locator("table").first().evaluate((table, wanted) => {
    const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.innerText.trim().toLowerCase() === wanted);
    return [...table.tBodies[0].rows].map((row) => row.cells[at].textContent.trim());
  }, title);

export async function run(tools, job) {
  const context = await signedIn(tools, { ...job, fresh: true });
  try {
    const page = await context.newPage();
    const { seen, note, settle } = await watch(page, job.base);
    const told = { locked: {}, unlocked: {} };
    await page.goto("/people");
    for (const title of job.columns) told.locked[title] = [...new Set(await column(page, title))];
    told.form = await page.getByRole("button", { name: "Show real names" }).count();
    if (told.form) {
      await page.locator("main input[type=password]").fill(job.password);
      await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Show real names" }).click()]);
      for (let turn = 0; ; turn++) {
        await settle();
        await look(tools, page, job, note);
        for (const title of job.columns) told.unlocked[title] = [...(told.unlocked[title] ?? []), ...(await column(page, title))];
        const next = page.locator("a[rel=next]");
        if (!(await next.count()) || turn > 10) break;
        await next.click();
      }
    }
    told.problems = seen.problems;
    return told;
  } finally {
    await context.close();
  }
}
