// Walks every page that one account finds from the first one on, by links alone, and tells what is wrong with each.
import { mkdirSync } from "node:fs";
import { look } from "./look.mjs";
import { signedIn, watch } from "./watch.mjs";

const SIBLINGS = 2; // pages below one folder, of which hundreds look alike
const ALL_DIFFER = /^\/dashboards\//;
const LEFT_OUT = [/^\/sign-out$/, /\.csv$/, /\.json$/, /^\/api\//, /^\/static\//];

export async function run(tools, job) {
  const context = await signedIn(tools, job);
  try {
    const pages = [];
    const queue = [...(job.start ?? ["/"])];
    const known = new Known(queue);
    while (queue.length) {
      const page = await visit(tools, context, job, queue.shift());
      pages.push(page);
      if (job.follow ?? true) queue.push(...page.links.filter((link) => known.isNew(link, job)));
    }
    for (const path of job.missing ?? []) pages.push(await visit(tools, context, job, path, 404));
    return pages;
  } finally {
    await context.close();
  }
}

/** Which links were followed: each path once, and once more for each set of query keys where variants are asked for. */
class Known {
  constructor(start) {
    this.shapes = new Set(start);
    this.siblings = new Map();
  }

  // `variants`: how many addresses with a query are followed of one path
  isNew(link, { variants = 0, within = "/" }) {
    const url = new URL(link, "http://here");
    if (LEFT_OUT.some((pattern) => pattern.test(url.pathname))) return false;
    if (!url.pathname.startsWith(within)) return false;
    const keys = [...new Set(url.searchParams.keys())].sort().join(",");
    if (keys && !variants) return false;
    const shape = keys ? `${url.pathname}?${keys}` : url.pathname;
    if (this.shapes.has(shape)) return false;
    const folder = keys ? `${url.pathname}?` : url.pathname.replace(/[^/]*$/, "");
    const count = this.siblings.get(folder) ?? 0;
    const most = keys ? variants : SIBLINGS;
    if (folder !== "/" && count >= most && !ALL_DIFFER.test(url.pathname)) return false;
    this.siblings.set(folder, count + 1);
    this.shapes.add(shape);
    return true;
  }
}

async function visit(tools, context, job, path, status = 200) {
  const page = await context.newPage();
  try {
    const { seen, note, settle } = await watch(page, job.base);
    if (status !== 200) seen.expected.add(new URL(path, job.base).href);
    const response = await page.goto(path);
    if (response.status() !== status) note("status", `${response.status()}, not ${status}`);
    const policy = response.headers()["content-security-policy"] ?? "";
    if (job.policy && policy !== job.policy) note("content security policy", `is ${policy}`);
    await settle();
    await scroll(page);
    await settle();
    const links = await linksOf(page, job.base);
    const screenshot = await shoot(page, job, path);
    await look(tools, page, job, note);
    return {
      path,
      title: await page.title(),
      heading: await page.evaluate(() => document.querySelector("h1")?.textContent.trim() ?? ""),
      navigation: await page.evaluate(() => [...document.querySelectorAll("nav a[href]")].map((a) => new URL(a.href).pathname)),
      problems: seen.problems,
      requests: seen.requests.length,
      bytes: seen.bytes,
      links,
      screenshot,
    };
  } finally {
    await page.close();
  }
}

/** Go down the page and back, so that what is loaded only when it comes into sight is there. */
async function scroll(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    for (let top = 0; top < document.documentElement.scrollHeight; top += innerHeight / 2) {
      window.scrollTo(0, top);
      await frame();
      await frame();
    }
    window.scrollTo(0, 0);
  });
}

async function linksOf(page, base) {
  // one in an SVG has its address elsewhere
  const links = await page.evaluate(() => [...document.querySelectorAll("a[href]")].map((a) => new URL(a.href.baseVal ?? a.href, location.href).href));
  return [...new Set(links.map((link) => new URL(link)).filter((url) => url.origin === new URL(base).origin).map((url) => url.pathname + url.search))];
}

async function shoot(page, job, path) {
  if (!job.screenshots) return "";
  mkdirSync(job.screenshots, { recursive: true });
  const name = path.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 80) || "first";
  const file = `${job.screenshots}/${job.role ?? "nobody"}-${job.theme}-${job.width}-${name}.png`;
  await page.screenshot({ path: file, fullPage: true });
  return file;
}
