// The variables of a dashboard: what is offered, what is chosen, and the boxes to choose it in.
import { element } from "./figures.js";
import { load } from "./panel.js";

export const ALL = "$__all";
const MANY = 8;
const PATIENCE_MS = 350;

export class Variables {
  constructor(uid, changed) {
    Object.assign(this, { uid, changed, rows: [], chosen: new Map(), boxes: new Map(), host: element("div", { className: "variables" }) });
    for (const [key, value] of new URLSearchParams(location.search)) {
      if (key.startsWith("var-")) this.chosen.set(key.slice(4), [...(this.chosen.get(key.slice(4)) ?? []), value]);
    }
  }

  // Only what differs from what the dashboard begins with, unless `isWhole`.
  write(query) {
    for (const [name, values] of this.chosen) for (const value of values) query.append(`var-${name}`, value);
  }

  async refresh() {
    const query = new URLSearchParams();
    this.write(query);
    const found = await load(`/api/v1/dashboards/${this.uid}/variables?${query}`);
    this.rows = found.rows;
    for (const row of this.rows) this.show(row);
  }

  choose(row, values) {
    this.chosen.set(row.name, values.length ? values : [ALL]);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.changed(), PATIENCE_MS);
  }

  show(row) {
    const box = this.boxes.get(row.name) ?? this.box(row);
    this.boxes.set(row.name, box);
    box.show(row);
  }

  box(row) {
    return row.is_multiple ? this.many(row) : this.single(row);
  }

  single(row) {
    const select = element("select", { "data-variable": row.name });
    this.host.append(element("label", { className: "variable" }, `${row.label} `, select));
    select.addEventListener("change", () => this.choose(row, [select.value]));
    return {
      show: (now) => {
        select.replaceChildren(...now.values.map((value) => element("option", { value }, value)));
        [select.value] = now.chosen;
      },
    };
  }

  many(first) {
    const summary = element("summary", {});
    const filter = element("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${first.label}` });
    const list = element("ul", {});
    const all = this.check("All", ALL);
    const note = element("p", { className: "hint" });
    const picker = element("details", { className: "picker variable", "data-variable": first.name }, summary,
      element("fieldset", { className: "picker-body" }, element("legend", { className: "spoken" }, first.label), filter, all.line, list, note));
    this.host.append(picker);
    let lines = [];
    let row = first;
    const tell = (chosen) => {
      const isAll = chosen.includes(ALL);
      summary.textContent = `${row.label}: ${isAll ? "All" : chosen.length > 2 ? `${chosen.length} chosen` : chosen.join(", ")}`;
      all.field.checked = isAll;
      for (const line of lines) line.field.checked = !isAll && chosen.includes(line.value);
    };
    all.field.addEventListener("change", () => {
      tell([ALL]);
      this.choose(row, [ALL]);
    });
    filter.addEventListener("input", () => {
      const wanted = filter.value.toLowerCase();
      for (const line of lines) line.line.hidden = !line.value.toLowerCase().includes(wanted);
    });
    return {
      show: (now) => {
        row = now;
        const values = [...new Set([...now.values, ...now.chosen.filter((value) => value !== ALL)])];
        if (values.join("\n") !== lines.map((line) => line.value).join("\n")) {
          lines = values.map((value) => this.check(value, value));
          for (const line of lines) {
            line.field.addEventListener("change", () => {
              const chosen = lines.filter((one) => one.field.checked).map((one) => one.value);
              tell(chosen.length ? chosen : [ALL]);
              this.choose(row, chosen);
            });
          }
          list.replaceChildren(...lines.map((line) => line.line));
          filter.hidden = values.length <= MANY;
        }
        note.textContent = now.left_out ? `${now.left_out} more are not shown.` : values.length ? "" : "There is none yet.";
        tell(now.chosen);
      },
    };
  }

  check(text, value) {
    const field = element("input", { type: "checkbox", value });
    const line = element(value === ALL ? "p" : "li", {}, element("label", {}, field, ` ${text}`));
    return { field, line, value };
  }
}
