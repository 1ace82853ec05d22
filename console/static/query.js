// The page of free queries: one panel whose targets are what the operator writes.
import { Panel } from "./panel.js";
import { TimeRange, closePickers } from "./timerange.js";

const root = document.querySelector("[data-query]");
const form = root.querySelector("form");
const field = form.elements.namedItem("target");
const units = JSON.parse(root.dataset.units);
const unitField = form.elements.namedItem("unit");
const asked = new URLSearchParams(location.search);

const page = {
  syncKey: "query",
  zone: () => time.zone,
  zoom: (from, until) => time.set(from, until),
  zoomOut: () => time.zoomOut(),
  address: (_, kind, points) => {
    const query = new URLSearchParams({ from: time.from, until: time.until, points });
    for (const target of targets()) query.append("target", target);
    return `/api/v1/query${kind === "data" ? "" : ".csv"}?${query}`;
  },
};
const time = new TimeRange({ from: "now-1h", until: "now", refresh: 0 }, () => show(), () => show());
const drawing = {
  type: "timeseries", title: "Query", unit: "short", decimals: null, min: null, max: null, thresholds: [], shows_thresholds: false,
  fill_percent: 0, line_width: 1, is_stacked: false, legend: "table", calculations: ["last", "min", "max", "mean"],
};
const section = root.querySelector("[data-panel]");
let panel = null;

function targets() {
  return field.value.split("\n").map((line) => line.trim()).filter(Boolean);
}

function show() {
  const query = new URLSearchParams();
  for (const target of targets()) query.append("target", target);
  if (unitField.value !== "short") query.set("unit", unitField.value);
  time.write(query);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  section.hidden = targets().length === 0;
  if (section.hidden) return;
  if (panel?.drawing.unit !== unitField.value) {
    panel?.clear();
    panel ??= new Panel(section, drawing, units[unitField.value], page);
    drawing.unit = unitField.value;
    panel.unit = units[unitField.value];
  }
  panel.isNear = true;
  panel.refresh();
}

root.querySelector(".board-tools").replaceChildren(...time.controls());
field.value = asked.getAll("target").join("\n");
if (asked.get("unit") in units) unitField.value = asked.get("unit");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
unitField.addEventListener("change", () => show());
closePickers();
show();
