// Panels that say one thing of each series: figures, dials, bars and tables; and the legend of the lines.
import { colorOf } from "./chart.js";
import { NO_VALUE, writeValue } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const WORDS = { last: "Newest", max: "Max", min: "Min", mean: "Mean" };
const DIAL_DEGREES = 240;

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function thresholdOf(panel, value) {
  let color = panel.thresholds[0]?.color ?? "none";
  if (value === null) return "none";
  for (const step of panel.thresholds) if (step.value !== null && value >= step.value) color = step.color;
  return color;
}

// Each series with the value that the panel shows of it.
function shownOf(panel, grid) {
  const [word] = panel.calculations;
  return grid.series.map((one) => ({ name: one.name, value: one[word], values: one.values }));
}

// Many series scroll within their panel: the keyboard must get there.
function scrolling(panel) {
  return { tabIndex: 0, role: "group", "aria-label": panel.title };
}

export function drawStat(host, panel, unit, grid) {
  const tiles = shownOf(panel, grid).map(({ name, value, values }) => {
    const text = element("span", { className: "stat-value" }, writeValue(value, unit, panel.decimals));
    const tile = element("div", { className: `stat color-${thresholdOf(panel, value)}` }, text);
    if (grid.series.length > 1 || name) tile.append(element("span", { className: "stat-name", title: name }, name));
    const line = unit.age ? null : sparkline(values);
    if (line) tile.append(line);
    return tile;
  });
  host.replaceChildren(element("div", { className: "stats", ...scrolling(panel) }, ...tiles));
}

function sparkline(values) {
  const there = values.map((value, index) => [index, value]).filter(([, value]) => value !== null);
  if (there.length < 2) return null;
  let low = Infinity;
  let high = -Infinity;
  for (const [, value] of there) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const every = Math.max(1, Math.floor(there.length / 150));
  const across = (index) => ((100 * index) / (values.length - 1)).toFixed(2);
  const points = there.filter((_, index) => index % every === 0).map(([index, value]) => {
    const y = high === low ? 15 : 29 - (28 * (value - low)) / (high - low);
    return `${across(index)},${y.toFixed(2)}`;
  });
  const area = `${across(there[0][0])},30 ${points.join(" ")} ${across(there[(points.length - 1) * every][0])},30`;
  return drawn("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", class: "spark", "aria-hidden": "true" },
    drawn("polygon", { points: area, class: "spark-area" }),
    drawn("polyline", { points: points.join(" "), class: "spark-line" }));
}

function arc(from, to, radius) {
  const at = (share) => {
    const angle = ((share - 0.5) * DIAL_DEGREES - 90) * (Math.PI / 180);
    return `${(50 + radius * Math.cos(angle)).toFixed(3)} ${(50 + radius * Math.sin(angle)).toFixed(3)}`;
  };
  return `M ${at(from)} A ${radius} ${radius} 0 ${(to - from) * DIAL_DEGREES > 180 ? 1 : 0} 1 ${at(to)}`;
}

function shareOf(panel, value, unit) {
  const low = panel.min ?? 0;
  const high = panel.max ?? (unit.scales[0].factor === 0.01 ? 1 : 100);
  return value === null ? 0 : Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
}

export function drawGauge(host, panel, unit, grid) {
  const dials = shownOf(panel, grid).map(({ name, value }) => {
    const color = thresholdOf(panel, value);
    const text = writeValue(value, unit, panel.decimals);
    const share = shareOf(panel, value, unit);
    const rim = panel.thresholds.map((step, index) => {
      const from = step.value === null ? 0 : shareOf(panel, step.value, unit);
      const to = index + 1 < panel.thresholds.length ? shareOf(panel, panel.thresholds[index + 1].value, unit) : 1;
      return to > from ? drawn("path", { d: arc(from, to, 46), class: `dial-rim color-${step.color}` }) : "";
    });
    const dial = drawn("svg", { viewBox: "0 0 100 80", class: "dial", role: "img", "aria-label": `${name}: ${text}` },
      ...rim,
      drawn("path", { d: arc(0, 1, 38), class: "dial-track" }),
      share > 0 ? drawn("path", { d: arc(0, share, 38), class: `dial-value color-${color}` }) : "",
      drawn("text", { x: 50, y: 56, class: `dial-text color-${color}` }, text));
    return element("figure", { className: "gauge" }, dial, element("figcaption", { title: name }, name));
  });
  host.replaceChildren(element("div", { className: "gauges", ...scrolling(panel) }, ...dials));
}

export function drawBars(host, panel, unit, grid) {
  const shown = shownOf(panel, grid);
  const most = Math.max(...shown.map(({ value }) => value ?? 0), 0);
  const scaled = panel.max === null ? { ...panel, max: most || 1 } : panel;
  const rows = shown.map(({ name, value }) => {
    const fill = element("span", { className: `bar-fill color-${thresholdOf(panel, value)}` });
    fill.style.width = `${100 * shareOf(scaled, value, unit)}%`;
    return element("li", {},
      element("span", { className: "bar-name", title: name }, name),
      element("span", { className: "bar-track" }, fill),
      element("span", { className: "bar-value" }, writeValue(value, unit, panel.decimals)));
  });
  host.replaceChildren(element("ul", { className: "bars", tabIndex: 0, "aria-label": panel.title }, ...rows));
}

// A table of series. `state` keeps the order that the person chose: {by, descending}.
export function drawTable(host, panel, unit, grid, state, words = panel.calculations) {
  const rows = grid.series.map((one, index) => ({ one, index }));
  if (state.by) {
    const key = ({ one }) => one[state.by];
    const way = state.descending ? -1 : 1;
    rows.sort((first, second) => {
      const [a, b] = [key(first), key(second)];
      if (a === null || b === null) return (a === null) - (b === null);
      return way * (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
    });
  }
  const again = () => drawTable(host, panel, unit, grid, state, words);
  const heads = ["name", ...words].map((word) => heading(word, state, again));
  const lines = rows.map(({ one }) => element("tr", {},
    element("th", { scope: "row" }, one.name || NO_VALUE),
    ...words.map((word) => element("td", { className: `number color-${thresholdOf(panel, one[word])}` },
      writeValue(one[word], unit, panel.decimals)))));
  const table = element("table", {}, element("caption", { className: "spoken" }, panel.title),
    element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
  host.replaceChildren(element("div", { className: "series-table", tabIndex: 0, role: "region", "aria-label": `${panel.title}, table` }, table));
}

function heading(word, state, again) {
  const isIt = state.by === word;
  const order = !isIt ? "none" : state.descending ? "descending" : "ascending";
  const button = element("button", { type: "button" }, word === "name" ? "Name" : WORDS[word]);
  button.addEventListener("click", () => {
    state.descending = isIt ? !state.descending : word !== "name";
    state.by = word;
    const host = button.closest("[data-panel]") ?? document;
    again();
    [...host.querySelectorAll("thead button")].find((one) => one.textContent === button.textContent)?.focus();
  });
  return element("th", { scope: "col", className: word === "name" ? "" : "number", "aria-sort": order }, button);
}

// The legend of a chart: names as buttons that show and hide their lines; Shift or Ctrl shows one alone.
export function drawLegend(host, panel, unit, grid, chart) {
  const words = panel.calculations;
  const isTable = panel.legend === "table" && words.length > 0;
  const entries = grid.series.map((one, index) => {
    const mark = element("span", { className: "mark" });
    mark.style.background = colorOf(index);
    const isOn = !chart.hidden.has(one.name);
    const button = element("button", { type: "button", "aria-pressed": String(isOn), title: one.name }, mark, one.name || NO_VALUE);
    button.addEventListener("click", (event) => {
      chart.toggle(one.name, event.shiftKey || event.ctrlKey || event.metaKey);
      for (const [at, other] of [...host.querySelectorAll("button")].entries()) {
        other.setAttribute("aria-pressed", String(!chart.hidden.has(grid.series[at].name)));
      }
    });
    button.addEventListener("pointerenter", () => chart.highlight(one.name));
    button.addEventListener("pointerleave", () => chart.highlight(null));
    const values = words.map((word) => writeValue(one[word], unit, panel.decimals));
    if (!isTable) return element("li", {}, button, ...values.map((text) => element("span", { className: "quiet" }, ` ${text}`)));
    return element("tr", {}, element("th", { scope: "row" }, button), ...values.map((text) => element("td", { className: "number" }, text)));
  });
  const at = host.scrollTop;
  const focused = [...host.querySelectorAll("button")].indexOf(document.activeElement);
  host.className = `legend legend-${isTable ? "table" : "list"}`;
  host.replaceChildren(isTable
    ? element("table", {}, element("caption", { className: "spoken" }, `Lines of ${panel.title}`),
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Line"),
        ...words.map((word) => element("th", { scope: "col", className: "number" }, WORDS[word])))),
      element("tbody", {}, ...entries))
    : element("ul", { "aria-label": `Lines of ${panel.title}` }, ...entries));
  host.scrollTop = at;
  host.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
}
