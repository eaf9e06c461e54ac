/* One instance: what it is, what it reported, what is wrong with it, why something was done, what has happened;
 * and what can be done. */
import { bindActions } from "./act.js";
import { drawAlerts } from "./alerts.js";
import { get, instancePath } from "./api.js";
import { EventList } from "./events.js";
import { loadInstance } from "./feed.js";
import { age, ageElement, bytes, clock, duration, glyph, h, parseTime, setData, setText, timeElement } from "./format.js";
import { mergeEvents, now, on, state } from "./state.js";
import { drawWhy } from "./why.js";

const EVERY_MS = 1000;
const WHY_EVERY_MS = 3000;
const EVENTS_MAX = 300;

/* ---- fields ---- */

const UNITS = {
  cpu_usage: "%", memory_usage: "MB", memory_limit: "MB", network_usage: "KB/s", disk_usage: "MB",
  network_latency: "ms", load_average: "", queue_length: "", socket_connections: "",
};

const LABELS = {
  instance_id: "id", broker_id: "broker", host_id: "host", state_changed_at: "in this state since",
  previous_state: "before that", desired_state: "wanted", heartbeat_age_ms: "last heard of",
  last_updated_at: "updated", health_status: "health", reported_health: "reported by its agent",
  uptime_seconds: "up for", cpu_usage: "CPU",
};

const labelOf = (key) => LABELS[key] ?? key.replaceAll("_", " ").replace(/ (ms|bytes)$/, "");

function valueElement(key, value) {
  if (value === null || value === undefined || value === "") return h("span", { class: "none", text: "–" });
  if (key.endsWith("_at")) return timeElement(parseTime(value));
  if (key === "heartbeat_age_ms") return h("span", { text: age(value) + (value < 1000 ? "" : " ago") });
  if (key === "uptime_seconds") return h("span", { text: duration(value * 1000) });
  if (key.endsWith("_bytes")) return h("span", { text: bytes(value) });
  return h("span", { text: String(value) });
}

/* Draws KEYS of OBJECT, in place; ATTRIBUTE is the data attribute that names the key. */
function drawFacts(root, object, attribute, skip = []) {
  const keys = Object.keys(object).filter((key) => !skip.includes(key) && (typeof object[key] !== "object" || object[key] === null));
  const known = new Map([...root.children].map((row) => [row.dataset.key, row]));
  for (const key of keys) {
    let row = known.get(key);
    if (!row) {
      row = h("div", { data: { key } }, h("dt", { text: labelOf(key), title: key }), h("dd", { data: { [attribute]: key } }), UNITS[key] ? h("span", { class: "unit", text: UNITS[key] }) : null);
      root.append(row);
    }
    known.delete(key);
    const cell = row.children[1];
    const raw = object[key] === null ? "" : String(object[key]);
    if (cell.dataset.value === raw) continue;
    cell.dataset.value = raw;
    cell.replaceChildren(...valueElement(key, object[key]).childNodes);
  }
  for (const gone of known.values()) gone.remove();
}

/* ---- the head ---- */

function drawNow(root, one) {
  const parts = [glyph(one.state), h("strong", { text: one.state }), h("span", { class: "health-word", data: { health: one.health.health_status }, text: one.health.health_status })];
  const since = parseTime(one.state_changed_at);
  parts.push(h("span", { class: "quiet" }, "for ", ageElement(since)));
  if (one.maintenance) parts.push(h("span", { class: "chip", data: { chip: "maintenance" }, text: maintenanceText(one.maintenance) }));
  if (one.throttled) parts.push(h("span", { class: "chip", text: "throttled" }));
  if (one.desired_state && one.desired_state !== one.state) parts.push(h("span", { class: "chip", text: "wanted: " + one.desired_state }));
  root.replaceChildren(...parts);
}

function maintenanceText(maintenance) {
  const until = parseTime(maintenance.until);
  return "in maintenance " + (Number.isFinite(until) ? "until " + clock(until) : "until it is ended") + (maintenance.reason ? ": " + maintenance.reason : "");
}

function commandText(command) {
  return command.command_id + (command.status === "accepted" ? ", taken on" : ", given") + ", until " + clock(parseTime(command.expires_at));
}

/* ---- the view ---- */

export function instanceView(root) {
  const find = (selector) => root.querySelector(selector);
  const article = find("#instance");
  const missing = find("#instance-missing");
  let id = null;
  let timer = 0;
  let whyAt = -Infinity; // when it was read last
  let whyText = "";
  let events = null;
  let showing = 0; // another one with each instance that is shown

  function draw(one) {
    article.hidden = false;
    missing.hidden = true;
    setData(article, "state", one.state);
    setData(article, "health", one.health.health_status);
    drawNow(find("#instance-now"), one);
    const told = { maintenance: one.maintenance ? maintenanceText(one.maintenance) : null, command: one.command ? commandText(one.command) : null };
    drawFacts(find("#fields"), { ...one, ...told }, "field");
    drawFacts(find("#metrics"), one.metrics, "metric", ["last_updated_at"]);
    drawFacts(find("#health"), one.health, "field", ["last_updated_at"]);
    const updated = parseTime(one.metrics.last_updated_at);
    find("#metrics-age").replaceChildren(...(Number.isFinite(updated) ? [ageElement(updated, " ago")] : []));
    const list = one.alerts.map((alert) => ({ ...alert, instance_id: one.instance_id, throttled: one.throttled, ...alertMore(alert) }));
    drawAlerts(find("#instance-alerts"), list, false);
    find("#instance-alerts-empty").hidden = list.length > 0;
    find('[data-action="maintenance-off"]').hidden = !one.maintenance;
  }

  /* What is being done is told with the list of all alerts. */
  function alertMore(alert) {
    const told = (state.alerts ?? []).find((other) => other.instance_id === id && other.alert === alert.alert);
    return told ? { doing: told.doing, fired_at: told.fired_at } : {};
  }

  const isGivenUp = () => (state.instances.get(id)?.alerts ?? []).some((alert) => alert.alert === "RecoveryFailure");

  function showMissing(text) {
    article.hidden = true;
    missing.hidden = false;
    setText(missing, text);
  }

  const isWhyDue = () => performance.now() - whyAt > WHY_EVERY_MS;

  async function loadWhy(mine) {
    whyAt = performance.now();
    const answer = await get(instancePath(id) + "/why");
    if (mine !== showing) return;
    const text = JSON.stringify(answer.why);
    if (text === whyText) return;
    whyText = text;
    const list = find("#why");
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    drawWhy(list, answer.why, isGivenUp());
    if (isAtEnd) list.scrollTop = list.scrollHeight; // the newest is what is looked for
    setText(find("#why-empty"), "Nothing to tell: no alert, no command.");
    find("#why-empty").hidden = answer.why.length > 0;
  }

  function askWhyAgain() {
    whyAt = -Infinity;
  }

  async function loadEvents(mine) {
    const list = [];
    let since = "0";
    for (let page = 0; page < 12 && since; page++) {
      const answer = await get(`/api/v1/events?limit=1000&instance=${encodeURIComponent(id)}&since=${since}`);
      list.push(...answer.events);
      since = answer.next;
    }
    if (mine === showing) events.fill(mergeEvents(list, state.events));
  }

  async function refresh(mine) {
    if (document.hidden || state.link !== "live") return;
    try {
      const one = await loadInstance(id);
      if (mine !== showing) return;
      draw(one);
      if (isWhyDue()) await loadWhy(mine);
    } catch (problem) {
      askWhyAgain();
      if (mine === showing && problem.status === 404) showMissing(`There is no instance ${id}. It may have been removed.`);
      else if (mine === showing && article.hidden) showMissing("Not known yet: " + problem.message);
    }
  }

  async function run(mine) {
    await refresh(mine);
    if (mine === showing) timer = setTimeout(() => run(mine), EVERY_MS);
  }

  function show(next) {
    clearTimeout(timer);
    showing++;
    if (next !== id) {
      id = next;
      whyText = "";
      find("#why-empty").hidden = false;
      setText(find("#why-empty"), "Loading…");
      for (const list of ["#fields", "#metrics", "#health", "#why", "#instance-alerts", "#events", "#instance-now"]) find(list).replaceChildren();
    }
    whyAt = -Infinity;
    article.dataset.id = id;
    setText(find("#crumb"), id);
    setText(find("#instance-title"), id);
    events = new EventList(find("#events"), find("#events-empty"), { max: EVENTS_MAX, withInstance: false, accept: (event) => event.instance_id === id });
    const known = state.instances.get(id);
    if (known) draw(known);
    else showMissing("Loading…");
    loadEvents(showing).catch(() => {});
    if (state.link === "live") loadWhy(showing).catch(askWhyAgain);
    run(showing);
  }

  on("event", (event) => {
    if (event.instance_id !== id || !events) return;
    events.add(event);
    whyAt = -Infinity;
  });
  on("reload", () => {
    if (!id || !root.isConnected) return;
    whyAt = -Infinity;
    loadEvents(showing).catch(() => {});
    refresh(showing);
  });
  bindActions(article, () => state.instances.get(id) ?? null, () => {
    whyAt = -Infinity;
    refresh(showing);
  });
  return {
    show,
    hide() {
      clearTimeout(timer);
      showing++;
      id = null;
    },
  };
}
