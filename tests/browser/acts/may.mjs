// What an account is shown of a page, and what it is answered where it asks all the same.
import { signedIn } from "./watch.mjs";

export async function run(tools, job) {
  const context = await signedIn(tools, job);
  try {
    const page = await context.newPage();
    await page.goto("/account");
    const menu = await page.evaluate(() => [...document.querySelectorAll("nav a")].map((a) => new URL(a.href).pathname));
    const pages = {};
    for (const path of job.pages) pages[path] = (await page.goto(path)).status();
    await page.goto("/account");
    const acts = {};
    for (const path of job.acts)
      acts[path] = await page.evaluate(async (address) => {
        const csrf = document.querySelector("meta[name=csrf]").content;
        const body = new URLSearchParams({ csrf });
        return (await fetch(address, { method: "POST", body, redirect: "manual" })).status;
      }, path);
    const buttons = {};
    for (const path of job.look ?? []) {
      await page.goto(path);
      buttons[path] = await page.locator("main form[method=post] button").allInnerTexts();
    }
    return { menu, pages, acts, buttons };
  } finally {
    await context.close();
  }
}
