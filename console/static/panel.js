// One panel of a dashboard: loads its data, draws it by its type, and says so in data-state.
import { Chart } from "./chart.js";
import { drawBars, drawGauge, drawLegend, drawStat, drawTable, element } from "./figures.js";

const FIGURES = { stat: drawStat, gauge: drawGauge, bargauge: drawBars, table: drawTable };
const EVERY_WORD = ["last", "min", "max", "mean"];
const AT_ONCE = 4;
const POINTS = [10, 2000];

// A request that is refused says why: RFC 9457.
export async function load(address, signal) {
  const answer = await fetch(address, { signal, headers: { Accept: "application/json" } });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) throw new Error("You are signed out. Load the page again to sign in.");
  throw new Error(problem.detail || problem.title || `The console answers with status ${answer.status}.`);
}

// Few requests at a time, the oldest wish first.
class Turns {
  constructor(most) {
    Object.assign(this, { free: most, waiting: [] });
  }

  async run(act) {
    if (this.free > 0) this.free -= 1;
    else await new Promise((go) => this.waiting.push(go));
    try {
      return await act();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

const turns = new Turns(AT_ONCE);

export class Panel {
  // `root`: its section; `drawing`: what the server says of it; `page`: {address(drawing, kind, points), zone(), ...}.
  constructor(root, drawing, unit, page) {
    Object.assign(this, { root, drawing, unit, page, chart: null, grid: null, isNear: false, isStale: true, order: {} });
    this.body = root.querySelector(".panel-body");
    this.asTable = root.querySelector("[data-act=table]");
    this.asTable?.addEventListener("click", () => this.switchTable());
  }

  // Draw anew: at once where the panel can be seen, else when it is scrolled near.
  refresh() {
    this.isStale = true;
    this.link();
    if (this.isNear) this.load();
  }

  near(isNear) {
    this.isNear = isNear;
    if (isNear && this.isStale) this.load();
  }

  link() {
    this.root.querySelector("[data-act=csv]")?.setAttribute("href", this.page.address(this.drawing, "data.csv", this.points()));
  }

  // An operator may go on from here.
  linkQuery(targets) {
    const link = this.root.querySelector("[data-act=query]");
    if (!link) return;
    const query = this.page.span();
    for (const target of targets) query.append("target", target);
    if (this.drawing.unit !== "short") query.set("unit", this.drawing.unit);
    link.href = `/query?${query}`;
  }

  points() {
    const [least, most] = POINTS;
    return Math.max(least, Math.min(most, Math.round(this.body.clientWidth || 500)));
  }

  async load() {
    this.isStale = false;
    this.wanted?.abort();
    const wanted = (this.wanted = new AbortController());
    this.root.setAttribute("aria-busy", "true");
    if (!this.grid) this.root.dataset.state = "loading";
    try {
      const address = this.page.address(this.drawing, "data", this.points());
      const grid = await turns.run(() => (wanted.signal.aborted ? null : load(address, wanted.signal)));
      if (grid && !wanted.signal.aborted) this.draw(grid);
    } catch (error) {
      if (!wanted.signal.aborted) this.fail(error);
    } finally {
      if (this.wanted === wanted) this.root.setAttribute("aria-busy", "false");
    }
  }

  draw(grid) {
    this.grid = grid;
    const back = this.place();
    const isEmpty = !grid.series.some((one) => one.last !== null);
    if (isEmpty) {
      this.clear();
      this.body.replaceChildren(element("p", { className: "panel-note" }, "No data in this time."));
    } else if (this.asTable?.getAttribute("aria-pressed") === "true") {
      this.clear();
      drawTable(this.body, this.drawing, this.unit, grid, this.order, EVERY_WORD);
    } else if (this.drawing.type === "timeseries") this.drawLines(grid);
    else FIGURES[this.drawing.type](this.body, this.drawing, this.unit, grid, this.order);
    if (grid.left_out > 0) {
      this.body.querySelector(".panel-left-out")?.remove();
      this.body.append(element("p", { className: "panel-left-out" },
        `${grid.left_out} of ${grid.total} series are left out: choose fewer.`));
    }
    this.root.dataset.state = isEmpty ? "empty" : "ready";
    this.linkQuery(grid.targets);
    back();
  }

  // Who reads or types in a panel stays there when it is drawn anew.
  place() {
    const stops = () => [...this.body.querySelectorAll("button, [tabindex='0']")];
    const focused = stops().indexOf(document.activeElement);
    const { scrollTop } = this.body.firstElementChild ?? {};
    return () => {
      if (scrollTop) this.body.firstElementChild.scrollTop = scrollTop;
      if (focused >= 0) stops()[focused]?.focus({ preventScroll: true });
    };
  }

  drawLines(grid) {
    if (!this.chart) {
      const place = element("div", { className: "chart" });
      this.legend = element("div", { className: "legend" });
      this.body.replaceChildren(place, this.legend);
      this.chart = new Chart(place, this.drawing, this.unit, this.page);
    }
    drawLegend(this.legend, this.drawing, this.unit, grid, this.chart);
    this.chart.draw(grid);
  }

  // The theme or the zone has changed.
  restyle() {
    this.chart?.rebuild();
  }

  switchTable() {
    const isTable = this.asTable.getAttribute("aria-pressed") !== "true";
    this.asTable.setAttribute("aria-pressed", String(isTable));
    this.clear();
    if (this.grid) this.draw(this.grid);
  }

  clear() {
    this.chart?.end();
    this.chart = null;
    this.body.replaceChildren();
  }

  fail(error) {
    this.clear();
    this.grid = null;
    const again = element("button", { type: "button" }, "Try again");
    again.addEventListener("click", () => this.load());
    this.body.replaceChildren(element("div", { className: "panel-note", role: "alert" }, element("p", {}, error.message), again));
    this.root.dataset.state = "error";
  }
}
