// Signs in, signs out by the button, and comes back with the cookie that it had.
import { open, signIn } from "./watch.mjs";

export async function run(tools, job) {
  const context = await open(tools, job);
  try {
    const page = await context.newPage();
    await page.goto(job.path);
    const told = { stranger: new URL(page.url()).pathname };
    await signIn(page, job, job.path);
    const cookies = await context.cookies();
    told.cookie = cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/sign-in*");
    told.left = (await context.cookies()).map(({ name }) => name);
    await context.addCookies(cookies);
    await page.goto(job.path);
    told.back = new URL(page.url()).pathname;
    await page.goBack();
    told.history = await page.locator("nav").count();
    return told;
  } finally {
    await context.close();
  }
}
