// A dashboard's page: its panels, its variables, its time, and the address that holds them all.
import { element } from "./figures.js";
import { Panel, load } from "./panel.js";
import { TimeRange, closePickers } from "./timerange.js";
import { Variables } from "./variables.js";

const NEAR = "300px";

class Page {
  constructor(root, board) {
    Object.assign(this, { root, board, syncKey: board.uid });
    const preset = { from: board.from, until: board.until, refresh: board.refresh_seconds };
    this.time = new TimeRange(preset, () => this.changed(), () => this.refresh());
    this.variables = new Variables(board.uid, () => this.rechosen());
    this.panels = board.panels.filter((one) => one.type !== "row").map((drawing) =>
      new Panel(root.querySelector(`[data-panel="${drawing.id}"]`), drawing, board.units[drawing.unit], this));
  }

  span() {
    return new URLSearchParams({ from: this.time.from, until: this.time.until });
  }

  zone() {
    return this.time.zone;
  }

  zoom(from, until) {
    this.time.set(from, until);
  }

  zoomOut() {
    this.time.zoomOut();
  }

  address(drawing, kind, points) {
    const query = new URLSearchParams({ from: this.time.from, until: this.time.until });
    if (drawing.type === "timeseries") query.set("points", points);
    this.variables.write(query);
    return `/api/v1/dashboards/${this.board.uid}/panels/${drawing.id}/${kind}?${query}`;
  }

  start() {
    const problem = element("p", { className: "message failed", role: "alert", hidden: true });
    this.problem = problem;
    this.root.querySelector(".board-tools").replaceChildren(this.variables.host, element("div", { className: "time" }, ...this.time.controls()));
    this.root.querySelector(".board-tools").after(problem);
    this.link();
    this.offer();
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) this.panels.find((one) => one.root === entry.target).near(entry.isIntersecting);
    }, { rootMargin: NEAR });
    for (const panel of this.panels) {
      panel.link();
      watch.observe(panel.root);
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new MutationObserver(() => this.restyle()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    closePickers();
  }

  async offer() {
    try {
      await this.variables.refresh();
      this.problem.hidden = true;
    } catch (error) {
      this.problem.textContent = error.message;
      this.problem.hidden = false;
    }
  }

  refresh() {
    for (const panel of this.panels) panel.refresh();
  }

  restyle() {
    for (const panel of this.panels) panel.restyle();
  }

  rechosen() {
    this.offer();
    this.changed();
  }

  changed() {
    this.link();
    this.refresh();
  }

  // What is shown stands in the address, so that it can be passed on; the same goes to Grafana.
  link() {
    const query = new URLSearchParams();
    this.time.write(query);
    this.variables.write(query);
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
    const grafana = this.root.querySelector("[data-act=grafana]");
    if (!grafana) return;
    const there = new URLSearchParams({ from: moment(this.time.from), to: moment(this.time.until) });
    this.variables.write(there);
    grafana.href = `${this.board.grafana}?${there}`;
  }
}

// Grafana has milliseconds.
function moment(text) {
  return text.startsWith("now") ? text : String(Number(text) * 1000);
}

function place(root, board) {
  for (const { id, x, y, w, h } of board.panels) {
    const { style } = root.querySelector(`[data-panel="${id}"]`);
    for (const [name, value] of Object.entries({ "--x": x + 1, "--y": y + 1, "--w": w, "--h": h })) style.setProperty(name, value);
  }
}

const root = document.querySelector("[data-dashboard]");
try {
  const board = await load(`/api/v1/dashboards/${root.dataset.dashboard}`);
  place(root, board);
  new Page(root, board).start();
  root.dataset.state = "ready";
} catch (error) {
  root.prepend(element("p", { className: "message failed", role: "alert" }, error.message));
  root.dataset.state = "error";
}
