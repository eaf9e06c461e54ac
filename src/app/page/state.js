/* What the page knows, and who is told when it changes. Nothing else holds what came from the daemon; views
 * are drawn from here. Everything that grows has a bound. */

export const EVENTS_MAX = 500;
export const HISTORY_MS = 600_000;

export const state = {
  link: "connecting", // live: the daemon answers; lost: it does not any more, since linkSince
  linkSince: Date.now(), // our clock
  linkWhy: "", // what went wrong, where it is lost
  denied: false, // it answers that we may not read
  streaming: false, // events come as they happen
  status: null, // the last /api/v1/status
  fleetKnown: false, // all instances have been read at least once
  instances: new Map(), // by id
  alerts: null, // the list, null before the first
  alertsMore: false,
  history: [],
  signals: [], // the oldest open ones
  events: [], // the newest last
};

/* The daemon's clock, as it was told last, goes on by ours. */
let offset = 0;

export function setClock(daemonMs) {
  const measured = daemonMs - Date.now();
  if (Math.abs(measured - offset) > 250) offset = measured;
}

export const now = () => Date.now() + offset;

/* ---- who is told ---- */

const listeners = new Map();

/* Topics: link status instances(ids or null for all) alerts history signals event(one) events view. */
export function on(topic, fn) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(fn);
}

export function emit(topic, detail) {
  for (const fn of listeners.get(topic) ?? []) {
    try {
      fn(detail);
    } catch (error) {
      console.error(error);
    }
  }
}

/* ---- what came ---- */

/* Of ids of a stream: below 0 where A is before B. */
export function compareIds(a, b) {
  const [x, y] = [a, b].map((id) => id.split("-").map(BigInt));
  for (let i = 0; i < 2; i++) {
    if ((x[i] ?? 0n) !== (y[i] ?? 0n)) return (x[i] ?? 0n) < (y[i] ?? 0n) ? -1 : 1;
  }
  return 0;
}

/* LIST, and of OTHERS those behind its end: they came while it was read. */
export function mergeEvents(list, others) {
  const newest = list.at(-1)?.id ?? "0-0";
  return [...list, ...others.filter((event) => compareIds(event.id, newest) > 0)];
}

/* False for one that is known already: what is read and what is streamed may overlap. */
export function addEvent(event) {
  const newest = state.events.at(-1);
  if (newest && compareIds(event.id, newest.id) <= 0) return false;
  state.events.push(event);
  if (state.events.length > EVENTS_MAX) state.events.splice(0, state.events.length - EVENTS_MAX);
  return true;
}

export function addHistory(samples) {
  state.history.push(...samples);
  const newest = state.history.at(-1)?.at_ms ?? 0;
  while (state.history.length && state.history[0].at_ms < newest - HISTORY_MS) state.history.shift();
}

/* The word of readiness; before anything is known, connecting. */
export function readiness() {
  if (!state.status) return "connecting";
  return state.status.ready ? "ready" : state.status.unready || "connecting";
}

/* Alerts that fire, those of whole groups among them; NaN before anything is known. */
export function firingCount() {
  const s = state.status;
  return s ? s.alerts.firing + s.breaker_open.length : NaN;
}

/* What is shown may not be true any more. */
export function isStale() {
  return state.link === "lost" || (state.status !== null && !["ready", "read_only"].includes(readiness()));
}
