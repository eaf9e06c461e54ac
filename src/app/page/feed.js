/* What is asked for, and how often. Gently: the status and the newest sample each second, alerts every two, the
 * instances page after page so that each is read again every few seconds, at once where an event named it. A
 * page that nobody looks at asks for nothing, but for the stream. */
import { follow, get, instancePath } from "./api.js";
import { addEvent, addHistory, emit, EVENTS_MAX, mergeEvents, now, on, setClock, state } from "./state.js";

const TICK_MS = 250;
const PAGE = 250; // instances in one answer
const SWEEP_MS = 3000; // from the end of one reading of all to the next
const DIRTY_A_TICK = 5; // instances asked for one by one
const DIRTY_MAX = 60; // beyond it the whole is read
const SIGNALS = 5; // the oldest open ones
const ALERTS_MAX = 500;
const HIDDEN_MS = 20_000; // so long a page in the background keeps its stream
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 10_000;

/* ---- the link ---- */

function setLink(link, why = "") {
  state.linkWhy = why;
  if (state.link === link) return;
  state.link = link;
  state.linkSince = Date.now();
  emit("link");
}

function onFailure(problem) {
  state.denied = problem.status === 401 || problem.status === 403;
  setLink("lost", problem.message);
  emit("link");
}

/* ---- things that are asked for again and again ---- */

const tasks = [];

/* RUN returns after how many ms it is due again. */
function task(run) {
  const one = { run, due: 0, busy: false, again: false };
  tasks.push(one);
  return one;
}

async function runTask(one) {
  one.busy = true;
  one.again = false;
  let next;
  try {
    next = await one.run();
  } catch (error) {
    if (!("status" in error)) console.error(error);
    next = 2000;
  }
  one.busy = false;
  one.due = performance.now() + (one.again ? 0 : next);
}

function tick() {
  if (document.hidden) return;
  for (const one of tasks) {
    if (!one.busy && performance.now() >= one.due) runTask(one);
  }
}

function soon(one, ms = 0) {
  one.again = true; // where it runs just now
  one.due = Math.min(one.due, performance.now() + ms);
}

/* ---- the status ---- */

let uptime = -1;

const status = task(async () => {
  const wasLive = state.link === "live";
  const before = state.status;
  try {
    state.status = await get("/api/v1/status");
  } catch (problem) {
    onFailure(problem);
    return 1000;
  }
  setClock(state.status.now_ms);
  state.denied = false;
  const isNew = state.status.uptime_seconds < uptime;
  uptime = state.status.uptime_seconds;
  setLink("live");
  emit("status");
  if (isNew) state.history = [];
  if (!wasLive || isNew || (state.status.ready && !before?.ready)) reload();
  return 1000;
});

const history = task(async () => {
  if (state.link !== "live") return TICK_MS;
  const since = state.history.at(-1)?.at_ms ?? 0;
  const answer = await get("/api/v1/history" + (since ? "?since=" + since : ""));
  addHistory(answer.history);
  emit("history");
  return 1000;
});

const signals = task(async () => {
  if (state.link !== "live") return TICK_MS;
  const answer = state.status.signals_open ? await get("/api/v1/signals?limit=" + SIGNALS) : { signals: [] };
  state.signals = answer.signals.map((one) => ({ ...one, since: now() - one.age_ms }));
  emit("signals");
  return 2000;
});

/* Rolled back, or another daemon's clock: what is kept from before would stay ahead of it. */
on("status", () => {
  if ((state.history.at(-1)?.at_ms ?? 0) > now() + 5000) state.history = [];
});

const alerts = task(async () => {
  if (state.link !== "live") return TICK_MS;
  const answer = await get("/api/v1/alerts?limit=" + ALERTS_MAX);
  state.alerts = answer.alerts;
  state.alertsMore = "next" in answer;
  emit("alerts");
  return state.alerts.length > 100 ? 4000 : 2000;
});

/* ---- instances ---- */

let round = 0; // another one with each reload, which begins at the first page again
let after = "";
let seen = new Set();

function takeInstances(list) {
  const ids = [];
  for (const one of list) {
    state.instances.set(one.instance_id, { ...one, readAt: now() });
    ids.push(one.instance_id);
  }
  if (ids.length) emit("instances", ids);
}

function forgetInstances(ids) {
  for (const id of ids) state.instances.delete(id);
  if (ids.length) emit("instances", ids);
}

function endSweep() {
  forgetInstances([...state.instances.keys()].filter((id) => !seen.has(id)));
  seen = new Set();
  after = "";
  if (!state.fleetKnown) {
    state.fleetKnown = true;
    emit("instances", []);
  }
}

const sweep = task(async () => {
  if (state.link !== "live") return TICK_MS;
  const mine = round;
  const answer = await get(`/api/v1/instances?limit=${PAGE}` + (after ? "&after=" + encodeURIComponent(after) : ""));
  if (mine !== round) return 0;
  takeInstances(answer.instances);
  for (const one of answer.instances) seen.add(one.instance_id);
  if (answer.next) {
    after = answer.next;
    return state.fleetKnown ? TICK_MS : 0;
  }
  endSweep();
  return SWEEP_MS;
});

const dirty = new Set();

export async function loadInstance(id) {
  try {
    const one = await get(instancePath(id));
    seen.add(id);
    takeInstances([one]);
    return one;
  } catch (problem) {
    if (problem.status === 404) forgetInstances([id]);
    throw problem;
  }
}

const readDirty = task(async () => {
  if (dirty.size > DIRTY_MAX) {
    dirty.clear();
    soon(sweep);
  }
  const ids = [...dirty].slice(0, DIRTY_A_TICK);
  for (const id of ids) dirty.delete(id);
  await Promise.allSettled(ids.map(loadInstance));
  return TICK_MS;
});

/* ---- events ---- */

let lastId = null;
let retryMs = RETRY_MIN_MS;

function onMessage(id, name, data) {
  if (id) lastId = id;
  if (name === "gap") {
    state.events = []; // ids may have begun anew
    reload();
  }
  if (name === "gap" || data === null) return;
  let event;
  try {
    event = { id: id ?? "", ...JSON.parse(data) };
  } catch {
    return;
  }
  const isNew = addEvent(event);
  if (event.instance_id) dirty.add(event.instance_id);
  soon(alerts, 150);
  if (isNew) emit("event", event);
}

/* What is kept of the last half hour; all that is kept where that is less. */
async function loadEvents() {
  let since = `${Math.max(0, Math.floor(now()) - 1_800_000)}-0`;
  const list = [];
  for (let page = 0; page < 12 && since; page++) {
    const answer = await get(`/api/v1/events?limit=1000&since=${since}`);
    list.push(...answer.events);
    since = answer.next;
  }
  state.events = mergeEvents(list, state.events).slice(-EVENTS_MAX);
  emit("events");
}

let pastIsDue = true;
const past = task(async () => {
  if (!pastIsDue || state.link !== "live") return TICK_MS;
  await loadEvents();
  pastIsDue = false;
  return TICK_MS;
});

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* A browser has six connections to one host for all its tabs: a tab in the background gives its stream up. */
function untilShown() {
  if (!document.hidden) return undefined;
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

function whenHidden(controller) {
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => controller.abort(), HIDDEN_MS);
  };
  /* A page that is kept for the way back must not keep one of the few connections to a host. */
  const leave = () => controller.abort();
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", leave);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    removeEventListener("pagehide", leave);
  };
}

async function listen() {
  for (;;) {
    await untilShown();
    const controller = new AbortController();
    const stopLooking = whenHidden(controller);
    try {
      await follow(lastId, {
        onOpen() {
          retryMs = RETRY_MIN_MS;
          state.streaming = true;
          emit("link");
          soon(sweep);
        },
        onMessage,
      }, controller);
    } catch {
      /* The status tells what is wrong. */
    }
    stopLooking();
    if (state.streaming) {
      state.streaming = false;
      emit("link");
    }
    await wait(retryMs * (0.75 + Math.random() / 2));
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
  }
}

/* Everything anew: something may have been missed. */
export function reload() {
  round++;
  after = "";
  seen = new Set();
  dirty.clear();
  pastIsDue = true;
  for (const one of [sweep, alerts, history, signals, past]) soon(one);
  emit("reload");
}

export function startFeed() {
  setInterval(tick, TICK_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const one of tasks) soon(one);
    tick();
  });
  tick();
  listen();
}
