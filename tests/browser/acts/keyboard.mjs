// From the sign-in to a zoomed dashboard and a sorted table with nothing but the keyboard.
import { open, watch } from "./watch.mjs";

const MOST_STOPS = 120;

export async function run(tools, job) {
  const context = await open(tools, job);
  try {
    const page = await context.newPage();
    const { seen, settle } = await watch(page, job.base);
    await page.goto("/dashboards");
    await stopAt(page, () => document.activeElement.name === "login");
    await page.keyboard.type(job.login);
    await page.keyboard.press("Tab");
    await page.keyboard.type(job.password);
    await enter(page, "/dashboards");
    const told = { stops: [] };
    told.stops.push(await stopAt(page, (path) => document.activeElement.closest("main") && document.activeElement.pathname === path, job.board));
    await enter(page, job.board);
    await settle();
    told.stops.push(await stopAt(page, () => document.activeElement.getAttribute("aria-label") === "Zoom out"));
    await page.keyboard.press("Enter");
    await settle();
    told.range = Object.fromEntries(new URL(page.url()).searchParams);
    told.stops.push(await stopAt(page, (path) => document.activeElement.closest("nav") && document.activeElement.pathname === path, job.table, true));
    await enter(page, job.table);
    await settle();
    told.stops.push(await stopAt(page, () => document.activeElement.closest("thead th") !== null));
    const before = await page.evaluate(() => document.activeElement.closest("th").ariaSort);
    await page.keyboard.press("Enter");
    await settle();
    told.sorted = { before, after: await page.evaluate(() => document.activeElement.closest("th")?.ariaSort) };
    told.problems = seen.problems.filter(({ text }) => !text.includes("401"));
    return told;
  } finally {
    await context.close();
  }
}

/** Press Enter on what leads to another page. */
async function enter(page, path) {
  await Promise.all([page.waitForURL((url) => url.pathname === path), page.keyboard.press("Enter")]);
}

/** Press Tab until the focus is there; how many presses it took. */
async function stopAt(page, isThere, value, isBack = false) {
  for (let stop = 1; stop <= MOST_STOPS; stop++) {
    await page.keyboard.press(isBack ? "Shift+Tab" : "Tab");
    if (await page.evaluate(isThere, value)) return stop;
  }
  throw new Error(`not reached in ${MOST_STOPS} stops: ${isThere} ${value ?? ""}`);
}
