// A time series: lines by uPlot with a tooltip; drag to zoom, double click to zoom out, arrow keys to walk the points.
import { drawable, isolated, stacked } from "./lines.js";
import { writeTick, writeTime, writeTimeTicks, writeValue } from "./format.js";

const uPlot = window.uPlot;
const COLORS = 12;
const TOOLTIP_ROWS = 12;
const MANY = 40; // lines
const STEPS_1024 = [...Array(7).keys()].flatMap((power) =>
  [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((one) => one * 1024 ** power));
const STEPS_60 = [
  ...[-6, -5, -4, -3, -2, -1].flatMap((power) => [1, 2, 5].map((one) => one * 10 ** power)),
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
  ...[1, 2, 7, 14, 30, 90, 180, 365, 730, 1825, 3650].map((days) => days * 86400),
];

// The colour of a line, from the style sheet, so that it follows the theme.
export function colorOf(index) {
  return `var(--series-${index % COLORS})`;
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function faded(color, percent) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)); // the palette is #rrggbb
  return `rgba(${red}, ${green}, ${blue}, ${percent / 100})`;
}

export class Chart {
  // `panel`: what to draw; `unit`: how values are written; `page`: {zone(), zoom(from, until), zoomOut(), syncKey}.
  constructor(host, panel, unit, page) {
    Object.assign(this, { host, panel, unit, page, grid: null, plot: null, hidden: new Set(), shape: "" });
    this.tooltip = document.createElement("div");
    this.tooltip.className = "chart-tip";
    this.tooltip.hidden = true;
    this.spoken = document.createElement("p");
    this.spoken.className = "spoken";
    this.spoken.setAttribute("aria-live", "polite");
    host.append(this.tooltip, this.spoken);
    host.tabIndex = 0;
    host.setAttribute("role", "group");
    host.addEventListener("keydown", (event) => this.walk(event));
    host.addEventListener("blur", () => this.leave());
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(host);
  }

  end() {
    this.resizer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  draw(grid) {
    this.grid = grid;
    const shape = JSON.stringify([grid.series.map((one) => one.name), [...this.hidden], this.page.zone()]);
    if (this.plot && shape === this.shape) this.plot.setData(this.columns());
    else this.rebuild(shape);
    if (!this.tooltip.hidden) this.point();
    const names = grid.series.slice(0, 5).map((one) => `${one.name} ${writeValue(one.last, this.unit, this.panel.decimals)}`);
    const more = grid.series.length > names.length ? `, and ${grid.series.length - names.length} more` : "";
    this.host.setAttribute(
      "aria-label",
      `${this.panel.title}: ${grid.series.length} ${grid.series.length === 1 ? "line" : "lines"}. Newest: ` +
        `${names.join(", ")}${more}. Arrow keys read single points.`);
  }

  toggle(name, only) {
    const names = this.grid.series.map((one) => one.name);
    if (only) {
      const alone = names.every((one) => this.hidden.has(one) !== (one === name));
      this.hidden = new Set(alone ? [] : names.filter((one) => one !== name));
    } else if (!this.hidden.delete(name)) this.hidden.add(name);
    this.draw(this.grid);
  }

  highlight(name) {
    const index = name === null ? null : this.shown.findIndex((one) => one.name === name) + 1;
    this.plot?.setSeries(index === 0 ? null : index, { focus: true });
  }

  columns() {
    this.shown = this.grid.series.filter((one) => !this.hidden.has(one.name));
    const columns = this.shown.map((one) => drawable(one, this.grid.times));
    this.alone = columns.map(isolated);
    return [this.grid.times, ...(this.panel.is_stacked ? stacked(columns) : columns)];
  }

  rebuild(shape = "") {
    if (!this.grid) return;
    this.plot?.destroy();
    this.shape = shape;
    const data = this.columns();
    this.plot = new uPlot(this.options(), data, this.host);
    const { over } = this.plot;
    over.addEventListener("mouseleave", () => this.leave());
    over.addEventListener("mousedown", () => { this.isDragged = true; });
    over.addEventListener("dblclick", () => this.page.zoomOut());
  }

  size() {
    return { width: Math.max(120, this.host.clientWidth), height: Math.max(80, this.host.clientHeight) };
  }

  resize() {
    const { width, height } = this.size();
    if (this.plot && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height });
  }

  options() {
    const { panel, page } = this;
    const series = this.shown.map((one, index) => this.line(one, index));
    const bands = panel.is_stacked ? series.slice(1).map((_, index) => ({ series: [index + 2, index + 1] })) : [];
    return {
      ...this.size(),
      padding: [8, 20, 0, 0],
      legend: { show: false },
      focus: { alpha: this.shown.length > MANY ? 1 : 0.25 }, // fading draws every line anew
      tzDate: (seconds) => (page.zone() === "utc" ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000)),
      cursor: {
        sync: { key: page.syncKey, setSeries: false, scales: ["x", null] },
        focus: { prox: 24 },
        drag: { x: true, y: false, setScale: false, dist: 4 },
        points: { one: true, size: 7 },
        bind: { dblclick: () => null },
      },
      scales: {
        x: { time: true, range: () => [this.grid.from_seconds, this.grid.until_seconds] },
        y: { range: (_, low, high) => this.range(low, high) },
      },
      axes: [this.timeAxis(), this.valueAxis()],
      series: [{}, ...series],
      bands,
      hooks: {
        setSelect: [(plot) => this.select(plot)],
        setCursor: [() => this.point()],
        setSeries: [(plot, index, options) => { if ("focus" in options) { this.nearest = index; this.point(); } }],
        drawAxes: [(plot) => this.thresholds(plot)],
      },
    };
  }

  line(one, index) {
    const { panel } = this;
    const color = css(`--series-${this.grid.series.indexOf(one) % COLORS}`);
    return {
      label: one.name,
      stroke: color,
      width: Math.max(panel.line_width, 1),
      fill: panel.fill_percent ? faded(color, panel.fill_percent) : undefined,
      points: { size: 5, filter: (_, __, show) => (show ? null : this.alone[index]) },
    };
  }

  range(low, high) {
    const { panel } = this;
    if (low === null || low === undefined) return [panel.min ?? 0, panel.max ?? (panel.min ?? 0) + 1];
    if (low === 0 && high === 0) return [panel.min ?? 0, panel.max ?? (panel.min ?? 0) + 1];
    const [first, last] = uPlot.rangeNum(low, high, { min: { pad: 0.1, soft: 0, mode: 3 }, max: { pad: 0.1, soft: 0, mode: 2 } });
    const bottom = panel.min ?? first;
    const top = panel.max ?? Math.max(last, bottom);
    return top > bottom ? [bottom, top] : [bottom, bottom + 1];
  }

  timeAxis() {
    return {
      stroke: css("--quiet"), font: "12px system-ui, sans-serif", size: 42, gap: 4, space: 64,
      grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1, size: 4 },
      values: (_, ticks, __, ___, apart) => writeTimeTicks(ticks, apart, this.page.zone()),
    };
  }

  valueAxis() {
    return {
      stroke: css("--quiet"), font: "12px system-ui, sans-serif", gap: 6, space: 28,
      grid: { stroke: css("--line"), width: 1 }, ticks: { show: false },
      size: (_, values) => 16 + 7 * Math.max(4, ...(values ?? []).map((one) => one.length)),
      incrs: { 1024: STEPS_1024, 60: STEPS_60 }[this.unit.base],
      values: (_, ticks, __, ___, apart) => ticks.map((one) => writeTick(one, this.unit, apart)),
    };
  }

  thresholds(plot) {
    if (!this.panel.shows_thresholds) return;
    const { left, width, top, height } = plot.bbox;
    for (const step of this.panel.thresholds) {
      const y = step.value === null ? NaN : plot.valToPos(step.value, "y", true);
      if (!(y >= top && y <= top + height)) continue;
      plot.ctx.save();
      plot.ctx.strokeStyle = css(`--color-${step.color}`);
      plot.ctx.lineWidth = uPlot.pxRatio;
      plot.ctx.setLineDash([6 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(left, y);
      plot.ctx.lineTo(left + width, y);
      plot.ctx.stroke();
      plot.ctx.restore();
    }
  }

  select(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const isOwn = this.isDragged; // the shared cursor tells the other charts of it too
    this.isDragged = false;
    if (!isOwn) return;
    const from = Math.floor(plot.posToVal(left, "x"));
    const until = Math.ceil(plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (until - from >= 2) this.page.zoom(from, until);
  }

  // The tooltip follows once a frame, however fast the pointer is.
  point() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.tip();
    });
  }

  leave() {
    this.tooltip.hidden = true;
    this.spoken.textContent = "";
  }

  valuesAt(index) {
    const rows = this.shown.map((one, at) => ({ name: one.name, value: one.values[index], at: at + 1 }));
    return rows.filter((row) => row.value !== null).sort((one, other) => other.value - one.value);
  }

  tip() {
    const { plot, tooltip } = this;
    const { idx, left } = plot?.cursor ?? {};
    const isHere = plot && (plot.over.matches(":hover") || this.host.matches(":focus-visible"));
    if (!isHere || idx === null || idx === undefined || left < 0) {
      tooltip.hidden = true;
      return;
    }
    const rows = this.valuesAt(idx);
    const at = Math.max(0, rows.findIndex((row) => row.at === this.nearest));
    const first = Math.max(0, Math.min(at - TOOLTIP_ROWS / 2, rows.length - TOOLTIP_ROWS));
    const lines = rows.slice(first, first + TOOLTIP_ROWS).map((row) => this.tipRow(row));
    const time = document.createElement("p");
    time.className = "chart-tip-time";
    time.textContent = writeTime(this.grid.times[idx], this.page.zone());
    const rest = document.createElement("p");
    rest.className = "chart-tip-rest";
    rest.textContent = rows.length > lines.length ? `and ${rows.length - lines.length} more` : "";
    tooltip.replaceChildren(time, ...lines, rest);
    tooltip.hidden = false;
    this.place(left);
  }

  tipRow(row) {
    const line = document.createElement("p");
    line.className = row.at === this.nearest ? "chart-tip-row nearest" : "chart-tip-row";
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.style.background = this.plot.series[row.at].stroke();
    const name = document.createElement("span");
    name.className = "chart-tip-name";
    name.textContent = row.name;
    const value = document.createElement("b");
    value.textContent = writeValue(row.value, this.unit, this.panel.decimals);
    line.append(mark, name, value);
    return line;
  }

  place(left) {
    const { tooltip, plot } = this;
    const x = plot.over.offsetLeft + left;
    const isRight = x > this.host.clientWidth / 2;
    tooltip.style.left = isRight ? "auto" : `${x + 14}px`;
    tooltip.style.right = isRight ? `${this.host.clientWidth - x + 14}px` : "auto";
  }

  walk(event) {
    const { plot, grid } = this;
    const last = (grid?.times.length ?? 0) - 1;
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") this.leave();
    if (!plot || last < 0 || by === undefined || event.target !== this.host) return;
    event.preventDefault();
    const now = plot.cursor.idx ?? last;
    const index = Math.max(0, Math.min(last, now + by));
    const rows = this.valuesAt(index);
    const y = rows.length && !this.panel.is_stacked ? plot.valToPos(rows[0].value, "y") : 0;
    plot.setCursor({ left: plot.valToPos(grid.times[index], "x"), top: Math.max(0, y) });
    this.tip();
    const told = rows.slice(0, 5).map((row) => `${row.name} ${writeValue(row.value, this.unit, this.panel.decimals)}`);
    this.spoken.textContent = `${writeTime(grid.times[index], this.page.zone())}: ${told.join(", ") || "no value"}`;
  }
}
