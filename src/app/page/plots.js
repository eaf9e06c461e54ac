/* Plots of the last minutes, up to ten, as SVG. A plot has series of one value a second; what is drawn is as many points
 * as are worth it. Series are told apart by their dash as well as by their colour. */
import { clock, h, setText, svg } from "./format.js";
import { HISTORY_MS, state } from "./state.js";

const WIDTH = 600;
const HEIGHT = 100;
const STEP_MS = 3000; // what is drawn as one point
const GAP_MS = 3500; // further apart no line is drawn
const SPANS_MS = [120000, 300000, HISTORY_MS]; // a daemon that has just begun has little to show

/* The shortest span that holds all of SAMPLES. */
function spanOf(samples, end) {
  const ms = samples.length ? end - samples[0].at_ms : 0;
  return SPANS_MS.find((span) => span >= ms) ?? HISTORY_MS;
}

/* A round number not below VALUE, and not far above it. */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999999) ?? 10 * power;
}

/* Samples by STEP_MS: [{at, values}], values by series, null where a series has none. */
function gather(samples, series) {
  const points = [];
  let bin = null;
  for (const sample of samples) {
    const at = Math.floor(sample.at_ms / STEP_MS) * STEP_MS;
    if (!bin || bin.at !== at) {
      bin = { at, samples: [] };
      points.push(bin);
    }
    bin.samples.push(sample);
  }
  return points.map((one) => ({ at: one.at, values: series.map((line) => line.value(one.samples)) }));
}

/* How many per second, over all of SAMPLES; null where nothing was counted. */
export const rate = (name) => (samples) => {
  let count = 0;
  let ms = 0;
  for (const sample of samples) {
    count += sample[name];
    ms += sample.over_ms;
  }
  return ms > 0 ? (count * 1000) / ms : null;
};

export const greatest = (name) => (samples) => {
  const values = samples.map((sample) => sample[name]).filter((value) => value !== null);
  return values.length ? Math.max(...values) : null;
};

function linePath(points, index, x, y) {
  let path = "";
  let before = null;
  for (const point of points) {
    const value = point.values[index];
    if (value === null) {
      before = null;
      continue;
    }
    path += (before !== null && point.at - before <= GAP_MS ? "L" : "M") + x(point.at).toFixed(1) + " " + y(value).toFixed(1);
    if (before === null || point.at - before > GAP_MS) path += "h0.01"; // a point alone is seen as well
    before = point.at;
  }
  return path;
}

export class Plot {
  /* SERIES: {name, class, value(samples), right (has a scale of its own, at the right)}. FORMAT is for the
   * scale and the legend; formatRight for the right one. */
  constructor(root, { title, series, format, formatRight, empty }) {
    this.root = root;
    this.series = series;
    this.format = format;
    this.formatRight = formatRight ?? format;
    this.empty = empty ?? "";
    this.points = [];
    this.hover = null;
    this.build(title);
    root.addEventListener("pointermove", (event) => this.point(event));
    root.addEventListener("pointerleave", () => this.point(null));
  }

  build(title) {
    this.lines = this.series.map((line) => svg("path", { class: "line " + line.class }));
    this.cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
    const grid = [0, 0.5, 1].map((share) => svg("line", { class: "rule", x1: 0, x2: WIDTH, y1: HEIGHT * share, y2: HEIGHT * share }));
    this.image = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
      ...grid, ...this.lines, this.cursor);
    this.values = this.series.map(() => h("b", { text: "–" }));
    this.when = h("span", { class: "plot-when", text: "now" });
    this.top = h("span", { class: "plot-top" });
    this.topRight = h("span", { class: "plot-top right" });
    this.note = h("span", { class: "plot-note" });
    const legend = this.series.map((line, i) => h("span", { class: "plot-key " + line.class },
      svg("svg", { class: "swatch", viewBox: "0 0 18 6", "aria-hidden": "true" }, svg("path", { class: "line " + line.class, d: "M0 3H18" })),
      line.name + " ", this.values[i]));
    this.axis = [h("span"), h("span"), h("span", { text: "now" })];
    this.spanMs = HISTORY_MS;
    this.root.append(
      h("figcaption", {}, h("span", { class: "plot-title", text: title }), ...legend, this.when),
      h("div", { class: "plot-area" }, this.image, this.top, this.topRight, this.note),
      h("div", { class: "plot-axis", "aria-hidden": "true" }, ...this.axis));
  }

  /* Draws the history anew. */
  draw() {
    const end = state.history.at(-1)?.at_ms ?? 0;
    /* The last bin is not full yet. */
    const last = Math.floor((end + 1000) / STEP_MS) * STEP_MS;
    this.points = gather(state.history.filter((sample) => sample.at_ms < last), this.series);
    this.spanMs = spanOf(state.history, last);
    this.begin = last - this.spanMs;
    this.x = (at) => ((at - this.begin) / this.spanMs) * WIDTH;
    setText(this.axis[0], this.spanMs / 60000 + " min ago");
    setText(this.axis[1], String(this.spanMs / 120000));
    this.ceilings = [false, true].map((right) => this.ceiling(right));
    this.series.forEach((line, i) => {
      const ceiling = this.ceilings[line.right ? 1 : 0];
      this.lines[i].setAttribute("d", linePath(this.points, i, this.x, (value) => HEIGHT - (value / ceiling) * HEIGHT));
    });
    const hasRight = this.series.some((line) => line.right);
    setText(this.top, this.format(this.ceilings[0]));
    setText(this.topRight, hasRight ? this.formatRight(this.ceilings[1]) : "");
    const isEmpty = !this.points.some((point) => point.values.some((value) => value !== null));
    setText(this.note, isEmpty ? this.empty : "");
    this.showValues();
  }

  ceiling(right) {
    let most = 0;
    this.series.forEach((line, i) => {
      if (Boolean(line.right) !== right) return;
      for (const point of this.points) most = Math.max(most, point.values[i] ?? 0);
    });
    return niceCeiling(most);
  }

  point(event) {
    const box = this.image.getBoundingClientRect();
    this.hover = event && box.width ? this.begin + ((event.clientX - box.left) / box.width) * this.spanMs : null;
    this.showValues();
  }

  /* The values under the pointer, or the newest ones. */
  showValues() {
    let shown = this.points.at(-1);
    if (this.hover !== null)
      shown = this.points.reduce((best, one) => (Math.abs(one.at - this.hover) < Math.abs(best.at - this.hover) ? one : best), shown ?? { at: 0, values: [] });
    this.series.forEach((line, i) => {
      const value = shown?.values[i];
      setText(this.values[i], value === null || value === undefined ? "–" : (line.right ? this.formatRight : this.format)(value));
    });
    setText(this.when, this.hover !== null && shown ? clock(shown.at) : "now");
    const isPointing = this.hover !== null && shown;
    const x = isPointing ? this.x(shown.at) : 0;
    this.cursor.setAttribute("visibility", isPointing ? "visible" : "hidden");
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
  }
}
