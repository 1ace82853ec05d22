// What is wrong with the page that is open, by itself: axe's findings, overflow, scripts that ran, focus that is not seen.
import { PHONE_WIDTH } from "./watch.mjs";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const MOST_STOPS = 60;

export async function look({ axe }, page, job, note) {
  for (const violation of await page.evaluate(() => window.dkmViolations ?? [])) note("content security policy", violation);
  if (await page.evaluate((name) => window[name], job.hacked ?? "dkmHacked")) note("script ran", "a name of the data was run");
  for (const [state, title] of await unfinished(page)) note("panel", `${title} is ${state}`);
  await accessible(axe, page, note);
  await fits(page, job, note);
  if (job.focus) await focusIsSeen(page, note);
}

/** Parts of the page that load by themselves and have not come, or say that they failed. */
function unfinished(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("[data-state]")]
      .filter((one) => ["error", "loading", "waiting"].includes(one.dataset.state) && one.checkVisibility())
      .map((one) => [one.dataset.state, one.querySelector("h1, h2, h3")?.textContent ?? one.className]),
  );
}

async function accessible(axe, page, note) {
  await page.evaluate(axe);
  const violations = await page.evaluate(
    async (values) => (await window.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"], preload: false })).violations,
    TAGS,
  );
  for (const { id, help, nodes } of violations) {
    const where = nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} [${node.any[0]?.message ?? node.failureSummary}]`);
    note("axe", `${id}: ${help} (${nodes.length}): ${where.join(" | ")}`);
  }
}

/** Nothing may stick out to the right: a phone would scroll the page in two directions. */
async function fits(page, job, note) {
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return null;
    const inside = (element) => {
      for (let up = element.parentElement; up && up !== document.body; up = up.parentElement)
        if (getComputedStyle(up).overflowX !== "visible") return true;
      return false;
    };
    const outer = [...document.body.querySelectorAll("*")].filter(
      (element) => element.getBoundingClientRect().right > root.clientWidth + 1 && !inside(element),
    );
    return `${root.scrollWidth} px: ${outer.slice(0, 3).map((element) => element.outerHTML.slice(0, 120)).join(" | ")}`;
  });
  if (wide) note(job.width === PHONE_WIDTH ? "overflow at phone width" : "overflow", wide);
}

/** Tab through the page: each stop can be seen and shows that it has the focus, and none is out of turn. */
async function focusIsSeen(page, note) {
  const early = await page.evaluate(() => [...document.querySelectorAll("[tabindex]")].filter((one) => one.tabIndex > 0).length);
  if (early) note("focus", `${early} elements with a tabindex above 0`);
  await page.evaluate(() => {
    document.activeElement?.blur();
    window.scrollTo(0, 0);
  });
  for (let stop = 0; stop < MOST_STOPS; stop++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
      const shown = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
      const again = element.dkmStopped;
      element.dkmStopped = true;
      return { ring, shown, again, html: element.outerHTML.slice(0, 160) };
    });
    if (!found || found.again) return;
    if (!found.shown) note("focus", `out of sight: ${found.html}`);
    else if (!found.ring) note("focus", `no ring: ${found.html}`);
  }
}
