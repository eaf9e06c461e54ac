/* What has happened, newest first: all of it, the latest beside the fleet, or that of one instance. */
import { ageElement, h, instanceLink, parseTime, setText, timeElement } from "./format.js";
import { compareIds, EVENTS_MAX, on, state } from "./state.js";

const RECENT_MAX = 12;

/* Which ones are to be seen: something is wrong, or is well again. */
const BAD = new Set(["instance_failed", "alert_firing", "network_issue", "socket_failure", "signal_dropped", "late_execution", "instance_degraded"]);
const GOOD = new Set(["instance_recovered", "instance_started", "alert_resolved"]);

const toneOf = (name) => (BAD.has(name) ? "bad" : GOOD.has(name) ? "good" : "");

/* What an event says beyond its name. */
function details(event) {
  const parts = [];
  if (event.from && event.to) parts.push(`${event.from} → ${event.to}`);
  else if (event.to) parts.push(event.to);
  if (event.alert) parts.push(event.alert);
  if (event.value !== undefined) parts.push(event.threshold === undefined || isNaN(event.value) ? String(event.value) : `${event.value}, limit ${event.threshold}`);
  if (event.command_id) parts.push(event.command_id);
  if (event.signal_id) parts.push("signal " + event.signal_id);
  if (event.reason) parts.push(event.reason);
  return parts.join(" · ");
}

const timeOf = (event) => {
  const ms = Number(event.id.split("-")[0]);
  return Number.isFinite(ms) && ms > 0 ? ms : parseTime(event.at);
};

const instanceOf = (event) => (event.instance_id
  ? h("a", { class: "event-instance", href: instanceLink(event.instance_id), text: event.instance_id })
  : h("span", { class: "event-instance" }));

export function eventElement(event, withInstance, withAge) {
  const at = timeOf(event);
  return h("li", { data: { event: event.event ?? "", seq: event.seq ?? "", tone: toneOf(event.event), id: event.id } },
    h("span", { class: "event-time" }, withAge ? ageElement(at) : timeElement(at)),
    h("span", { class: "event-name", text: event.event, title: event.correlation_id ? "because of " + event.correlation_id : "" }),
    withInstance ? instanceOf(event) : null,
    h("span", { class: "event-details", text: details(event) }));
}

const textOf = (event) => [event.event, event.instance_id, details(event), event.correlation_id].join(" ").toLowerCase();

/* A list that is kept: newest first, at most MAX. */
export class EventList {
  constructor(root, empty, { max, withInstance, withAge = false, accept = () => true }) {
    Object.assign(this, { root, empty, max, withInstance, withAge, accept });
  }

  fill(events) {
    const chosen = events.filter(this.accept).slice(-this.max).reverse();
    this.root.replaceChildren(...chosen.map((event) => eventElement(event, this.withInstance, this.withAge)));
    this.empty.hidden = chosen.length > 0;
  }

  add(event) {
    if (!this.accept(event)) return;
    const first = this.root.firstElementChild;
    if (first && compareIds(event.id, first.dataset.id) <= 0) return;
    this.root.prepend(eventElement(event, this.withInstance, this.withAge));
    while (this.root.childElementCount > this.max) this.root.lastElementChild.remove();
    this.empty.hidden = true;
  }
}

export function recentEvents(root) {
  const list = new EventList(root.querySelector("#recent"), root.querySelector("#recent-empty"), { max: RECENT_MAX, withInstance: true, withAge: true });
  on("event", (event) => list.add(event));
  on("events", () => list.fill(state.events));
  list.fill(state.events);
}

export function eventsView(root) {
  const filter = root.querySelector("#filter");
  const empty = root.querySelector("#events-empty");
  let words = [];
  const list = new EventList(root.querySelector("#events"), empty, {
    max: EVENTS_MAX,
    withInstance: true,
    accept: (event) => words.every((word) => textOf(event).includes(word)),
  });

  function fill() {
    words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    setText(empty, words.length ? "None is like that." : "None are kept.");
    list.fill(state.events);
  }

  filter.addEventListener("input", fill);
  on("event", (event) => list.add(event));
  on("events", fill);
  fill();
  return {};
}
