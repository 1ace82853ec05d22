// Presses the theme's button until `job.wanted` is set, and looks whether it stays: here, and after a new sign-in.
import { open, signIn } from "./watch.mjs";

const theme = (page) => page.locator("html").getAttribute("data-theme");
const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

export async function run(tools, job) {
  const told = { steps: [] };
  const context = await open(tools, job);
  try {
    const page = await context.newPage();
    await signIn(page, job);
    for (let press = 0; press < 4; press++) {
      told.steps.push({ theme: await theme(page), ground: await ground(page) });
      if (told.steps.at(-1).theme === job.wanted) break;
      await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: /theme/i }).click()]);
    }
    await page.goto(job.path);
    told.elsewhere = await theme(page);
  } finally {
    await context.close();
  }
  const again = await open(tools, job);
  try {
    const page = await again.newPage();
    await signIn(page, job);
    told.later = await theme(page);
  } finally {
    await again.close();
  }
  return told;
}
