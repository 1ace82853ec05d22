// What time is shown, how often it is drawn anew, and in which zone it is written: the state, its address, its controls.
import { element } from "./figures.js";
import { readField, writeField, writeTime } from "./format.js";

const QUICK = {
  "now-15m": "Last 15 minutes", "now-1h": "Last hour", "now-3h": "Last 3 hours", "now-6h": "Last 6 hours", "now-12h": "Last 12 hours",
  "now-24h": "Last 24 hours", "now-2d": "Last 2 days", "now-7d": "Last 7 days", "now-30d": "Last 30 days", "now-90d": "Last 90 days",
  "now-1y": "Last year", "now-2y": "Last 2 years",
};
const EVERY = { 0: "Off", 10: "10 s", 30: "30 s", 60: "1 min", 300: "5 min" };
const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, M: 2592000, y: 31536000 };
const MOST_SECONDS = 2 * 365 * 86400;

function secondsOf(text, now) {
  const relative = /^now(?:-(\d+)([smhdwMy]))?$/.exec(text);
  if (!relative) return Number(text);
  return now - (relative[1] ? Number(relative[1]) * UNITS[relative[2]] : 0);
}

export class TimeRange {
  // `preset`: {from, until, refresh} of the dashboard; what the address says goes before it.
  constructor(preset, changed, drawnAnew) {
    const asked = new URLSearchParams(location.search);
    const valid = (name) => /^(now(-\d{1,6}[smhdwMy])?|\d{1,10})$/.test(asked.get(name) ?? "");
    const both = valid("from") && valid("until");
    Object.assign(this, {
      preset, changed, drawnAnew,
      from: both ? asked.get("from") : preset.from,
      until: both ? asked.get("until") : preset.until,
      refresh: asked.get("refresh") in EVERY ? Number(asked.get("refresh")) : preset.refresh,
      zone: asked.get("zone") === "utc" ? "utc" : "local",
      before: [],
    });
    this.ended = Date.now();
    setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => this.tick());
  }

  bounds() {
    const now = Math.floor(Date.now() / 1000);
    return [secondsOf(this.from, now), secondsOf(this.until, now)];
  }

  write(query) {
    if (this.from !== this.preset.from || this.until !== this.preset.until) {
      query.set("from", this.from);
      query.set("until", this.until);
    }
    if (this.refresh !== this.preset.refresh) query.set("refresh", this.refresh);
    if (this.zone !== "local") query.set("zone", this.zone);
  }

  // Nothing is loaded while nobody looks.
  tick() {
    if (document.hidden || !this.refresh || !this.until.startsWith("now")) return;
    if (Date.now() - this.ended < this.refresh * 1000) return;
    this.ended = Date.now();
    this.drawnAnew();
  }

  set(from, until, isStep = true) {
    if (isStep) this.before.push([this.from, this.until]);
    [this.from, this.until] = [String(from), String(until)];
    this.ended = Date.now();
    this.show();
    this.changed();
  }

  // Back to where a zoom began; without one, twice as long.
  zoomOut() {
    const before = this.before.pop();
    if (before) return this.set(...before, false);
    const [from, until] = this.bounds();
    const length = Math.min(MOST_SECONDS, 2 * (until - from));
    const now = Math.floor(Date.now() / 1000);
    const last = Math.min(now, Math.round((from + until) / 2 + length / 2));
    return this.set(last - length, last, false);
  }

  move(direction) {
    const [from, until] = this.bounds();
    const by = direction * Math.round((until - from) / 2);
    this.set(from + by, until + by);
  }

  words() {
    if (this.until === "now" && QUICK[this.from]) return QUICK[this.from];
    return this.bounds().map((seconds) => writeTime(seconds, this.zone)).join(" to ");
  }

  controls() {
    this.summary = element("summary", { "data-range": "" });
    this.quick = Object.entries(QUICK).map(([from, text]) => {
      const button = element("button", { type: "button", "data-from": from }, text);
      button.addEventListener("click", () => {
        this.before = [];
        this.picker.open = false;
        this.set(from, "now", false);
        this.summary.focus();
      });
      return button;
    });
    this.picker = element("details", { className: "picker range" }, this.summary,
      element("div", { className: "picker-body" }, element("div", { className: "quick", role: "group", "aria-label": "Quick ranges" }, ...this.quick), this.absolute()));
    const step = (label, text, act) => {
      const button = element("button", { type: "button", title: label, "aria-label": label }, text);
      button.addEventListener("click", act);
      return button;
    };
    this.every = element("select", { "aria-label": "Refresh every" },
      ...Object.entries(EVERY).map(([seconds, text]) => element("option", { value: seconds }, seconds === "0" ? "Refresh: off" : `Refresh: ${text}`)));
    this.every.addEventListener("change", () => {
      this.refresh = Number(this.every.value);
      this.changed();
    });
    this.show();
    return [
      this.picker, element("div", { className: "steps", role: "group", "aria-label": "Move in time" },
        step("Earlier", "‹", () => this.move(-1)), step("Later", "›", () => this.move(1)), step("Zoom out", "−", () => this.zoomOut())),
      this.every, step("Refresh now", "↻", () => { this.ended = Date.now(); this.drawnAnew(); }),
    ];
  }

  absolute() {
    this.fields = ["From", "Until"].map((text) => element("input", { type: "datetime-local", step: 1, required: true, "aria-label": text }));
    this.zones = element("select", { "aria-label": "Time zone" }, element("option", { value: "local" }, "This browser's time"), element("option", { value: "utc" }, "UTC"));
    this.zones.addEventListener("change", () => {
      this.zone = this.zones.value;
      this.show();
      this.changed();
    });
    this.wrong = element("p", { className: "hint", role: "alert" });
    const form = element("form", { className: "absolute" },
      ...this.fields.map((field) => element("label", {}, field.getAttribute("aria-label"), field)),
      element("label", {}, "Zone", this.zones), this.wrong, element("button", { className: "main" }, "Show this time"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [from, until] = this.fields.map((field) => readField(field.value, this.zone));
      const isRight = from !== null && until !== null && from < until && until - from <= MOST_SECONDS;
      this.wrong.textContent = isRight ? "" : "The first must be before the second, and at most two years.";
      if (!isRight) return;
      this.picker.open = false;
      this.set(from, until);
      this.summary.focus();
    });
    return form;
  }

  show() {
    if (!this.summary) return;
    this.summary.replaceChildren(element("span", { className: "spoken" }, "Time: "), this.words() + (this.zone === "utc" ? " (UTC)" : ""));
    for (const button of this.quick) button.setAttribute("aria-pressed", String(this.until === "now" && button.dataset.from === this.from));
    const bounds = this.bounds();
    for (const [at, field] of this.fields.entries()) field.value = writeField(bounds[at], this.zone);
    this.zones.value = this.zone;
    this.every.value = String(this.refresh);
  }
}

// Open boxes close by Escape and by a click elsewhere.
export function closePickers() {
  const close = (isKept) => {
    for (const picker of document.querySelectorAll("details.picker[open], details.about[open]")) if (!isKept(picker)) picker.open = false;
  };
  document.addEventListener("pointerdown", (event) => close((picker) => picker.contains(event.target)));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const inside = document.activeElement?.closest("details.picker[open], details.about[open]");
    close(() => false);
    inside?.querySelector("summary").focus();
  });
}
