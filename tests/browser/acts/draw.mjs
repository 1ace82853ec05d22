// Draws one large chart, and tells how long the page was not free to answer: while it drew, and under the moving pointer.
import { signedIn, watch } from "./watch.mjs";

export async function run(tools, job) {
  const context = await signedIn(tools, { ...job, width: 1920 });
  try {
    const page = await context.newPage();
    const { settle } = await watch(page, job.base);
    await page.addInitScript(() => {
      window.dkmTasks = [];
      new PerformanceObserver((list) => window.dkmTasks.push(...list.getEntries().map(({ startTime, duration }) => ({ startTime, duration })))).observe({
        type: "longtask",
        buffered: true,
      });
    });
    let grid = null;
    page.on("response", async (answer) => {
      if (new URL(answer.url()).pathname === "/api/v1/query") grid = await answer.json();
    });
    await page.goto(job.path);
    await page.locator('[data-panel][data-state="ready"] .u-over').waitFor();
    await settle();
    const told = await page.evaluate(() => {
      const came = performance.getEntriesByType("resource").find(({ name }) => new URL(name).pathname === "/api/v1/query").responseEnd;
      const tasks = window.dkmTasks.filter(({ startTime, duration }) => startTime + duration > came);
      const longest = Math.max(0, ...tasks.map(({ duration }) => duration));
      return { longest_ms: longest, drawn_ms: Math.max(0, ...tasks.map(({ startTime, duration }) => startTime + duration - came)) };
    });
    await page.evaluate(() => (window.dkmTasks = []));
    const box = await page.locator(".u-over").boundingBox();
    for (let step = 0; step <= 60; step++) await page.mouse.move(box.x + (box.width * step) / 60, box.y + box.height * (0.3 + (step % 7) / 15));
    await settle();
    told.pointer_ms = await page.evaluate(() => Math.max(0, ...window.dkmTasks.map(({ duration }) => duration)));
    told.series = grid.series.length;
    told.points = grid.times.length;
    return told;
  } finally {
    await context.close();
  }
}
