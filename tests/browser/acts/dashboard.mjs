// One chart of a dashboard as a person uses it: hover, legend, drag to zoom, zoom out, arrow keys.
import { signedIn, watch } from "./watch.mjs";

export async function run(tools, job) {
  const context = await signedIn(tools, job);
  try {
    const page = await context.newPage();
    const { seen, settle } = await watch(page, job.base);
    const answers = [];
    page.on("response", async (answer) => {
      const { pathname, searchParams } = new URL(answer.url());
      const [, id] = /\/panels\/(\d+)\/data$/.exec(pathname) ?? [];
      if (id && answer.ok()) answers.push({ id, from: searchParams.get("from"), until: searchParams.get("until"), grid: await answer.json() });
    });
    await page.goto(job.path);
    await settle();
    const panel = page.locator("[data-panel]", { has: page.locator("h3", { hasText: job.panel }) }).first();
    const id = await panel.getAttribute("data-panel");
    await panel.scrollIntoViewIfNeeded();
    await settle();
    const told = { grid: answers.findLast((one) => one.id === id).grid };
    told.hover = await hover(page, panel, job.at);
    told.toggled = await toggle(page, panel, job);
    answers.length = 0;
    told.zoomed = await zoom(page, panel, settle, answers);
    answers.length = 0;
    await page.getByRole("button", { name: "Zoom out" }).click();
    await settle();
    told.back = { ranges: rangesOf(answers), address: addressOf(page) };
    told.walked = await walk(page, panel);
    told.problems = seen.problems;
    return told;
  } finally {
    await context.close();
  }
}

const rangesOf = (answers) => [...new Set(answers.map(({ from, until }) => `${from} ${until}`))];
const addressOf = (page) => Object.fromEntries(new URL(page.url()).searchParams);

/** Rest the pointer on a share of the chart's width; the tooltip's time and values by series. */
async function hover(page, panel, at) {
  const box = await panel.locator(".u-over").boundingBox();
  await page.mouse.move(box.x + box.width * at, box.y + box.height / 2, { steps: 3 });
  await panel.locator(".chart-tip").waitFor({ state: "visible" });
  return panel.locator(".chart-tip").evaluate((tip) => ({
    time: tip.querySelector(".chart-tip-time").textContent,
    values: Object.fromEntries(
      [...tip.querySelectorAll(".chart-tip-row")].map((row) => [row.querySelector(".chart-tip-name").textContent, row.querySelector("b").textContent]),
    ),
  }));
}

async function toggle(page, panel, job) {
  const button = panel.locator(".legend button", { hasText: job.series }).first();
  const before = await button.getAttribute("aria-pressed");
  await button.click();
  const after = await button.getAttribute("aria-pressed");
  const names = Object.keys((await hover(page, panel, job.at)).values);
  await button.click();
  return { before, after, names };
}

/** Drag from 30 to 60 % of the chart: what the address says then, and what every panel asked for. */
async function zoom(page, panel, settle, answers) {
  const box = await panel.locator(".u-over").boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.3, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 6 });
  await page.mouse.up();
  await settle();
  return { ranges: rangesOf(answers), panels: new Set(answers.map(({ id }) => id)).size, address: addressOf(page) };
}

async function walk(page, panel) {
  await page.mouse.move(0, 0);
  await panel.locator(".chart").focus();
  await page.keyboard.press("End");
  const last = await panel.locator(".spoken").textContent();
  await page.keyboard.press("ArrowLeft");
  return { last, before: await panel.locator(".spoken").textContent() };
}
