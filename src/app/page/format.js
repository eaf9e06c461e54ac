/* Elements and texts. Whatever the daemon tells is shown by textContent or an attribute that holds no script:
 * nothing here takes markup. Times are milliseconds of the daemon's clock, shown in the reader's zone. */
import { now } from "./state.js";

/* Makes an element: h("li", {class: "x", data: {id: "1"}, text: "…"}, child, …). A child may be null. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  setProps(element, props);
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}

function setProps(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const STATES = new Set(["running", "stopped", "crashed", "restarting"]);

/* The shape of a state. */
export function glyph(state) {
  const use = svg("use", { href: "#s-" + (STATES.has(state) ? state : "unknown") });
  return svg("svg", { class: "glyph", "aria-hidden": "true" }, use);
}

export function setGlyph(element, state) {
  element.firstChild.setAttribute("href", "#s-" + (STATES.has(state) ? state : "unknown"));
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* Sets, or with null removes, a data attribute. */
export function setData(element, name, value) {
  if (value === null || value === undefined) delete element.dataset[name];
  else if (element.dataset[name] !== String(value)) element.dataset[name] = value;
}

export const instanceLink = (id) => "#/instance/" + encodeURIComponent(id);

/* A group of the breaker: `broker:b1`, `all`. */
export function groupName(group) {
  const [kind, ...rest] = group.split(":");
  return rest.length ? `${kind} ${rest.join(":")}` : group === "" || group === "all" ? "the whole fleet" : group;
}

export const byName = new Intl.Collator("en", { numeric: true }).compare;

/* ---- numbers ---- */

/* At most three digits that count. */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e9) return trim(value / 1e9) + " G";
  if (size >= 1e6) return trim(value / 1e6) + " M";
  if (size >= 1e4) return trim(value / 1e3) + " k";
  return trim(value);
}

function trim(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return trim(value) + " " + units[unit];
}

export const plural = (count, one, many = one + "s") => count + " " + (count === 1 ? one : many);

/* ---- times ---- */

/* A span of time in its two greatest units. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return "–";
  const s = Math.max(0, ms) / 1000;
  if (s < 1) return Math.round(s * 1000) + " ms";
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 60) return Math.floor(s) + " s";
  const minutes = Math.floor(s / 60);
  if (minutes < 10) return two(minutes, "min", Math.floor(s % 60), "s");
  if (minutes < 60) return minutes + " min";
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, "h", minutes % 60, "min");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

const two = (a, unitA, b, unitB) => a + " " + unitA + (b ? " " + b + " " + unitB : "");

/* Ages in whole seconds, so that they tick evenly. */
export function age(ms) {
  return ms < 1000 ? "now" : duration(ms < 60000 ? Math.floor(ms / 1000) * 1000 : ms).replace(".0", "");
}

export const utc = (ms) => new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC");

const clockOf = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dateOf = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/* The time of day, with the date where it is not today's. */
export function clock(ms) {
  const date = new Date(ms);
  const text = clockOf.format(date);
  return date.toDateString() === new Date(now()).toDateString() ? text : dateOf.format(date) + " " + text;
}

export const parseTime = (text) => (typeof text === "string" ? Date.parse(text) : NaN);

/* A point in time: its clock time, UTC in the tooltip. */
export function timeElement(ms) {
  if (!Number.isFinite(ms)) return h("span", { text: "–" });
  return h("time", { datetime: new Date(ms).toISOString(), title: utc(ms), text: clock(ms) });
}

function agePhrase(ms, suffix) {
  const text = age(now() - ms);
  return text === "now" ? text : text + suffix;
}

/* How long ago a point in time is; ticks. */
export function ageElement(ms, suffix = "") {
  if (!Number.isFinite(ms)) return h("span", { text: "–" });
  return h("time", {
    class: "age", datetime: new Date(ms).toISOString(), title: utc(ms),
    data: { at: ms, suffix }, text: agePhrase(ms, suffix),
  });
}

export function tickAges() {
  for (const element of document.querySelectorAll("time.age"))
    setText(element, agePhrase(Number(element.dataset.at), element.dataset.suffix));
}
