/* The fleet: numbers, tiles in groups, a filter. A tile is made once and changed in place, so that a thousand
 * of them stand still while one changes. */
import { alertsPanel } from "./alerts.js";
import { recentEvents } from "./events.js";
import { byName, glyph, groupName, h, instanceLink, plural, setData, setGlyph, setText } from "./format.js";
import { signalsPanel } from "./signals.js";
import { firingCount, on, readiness, state } from "./state.js";

const STATES = ["running", "stopped", "crashed", "restarting"];
const HEALTHS = ["warning", "critical"];

/* ---- what of an instance is shown on its tile ---- */

function facts(one) {
  return {
    id: one.instance_id,
    broker: one.broker_id || "",
    host: one.host_id || "",
    state: one.state,
    health: one.health?.health_status || "",
    alerts: one.alerts.length,
    firing: one.alerts.some((alert) => alert.status === "firing"),
    maintenance: Boolean(one.maintenance),
    throttled: one.throttled,
  };
}

function describe(f) {
  const words = [f.id, f.state, f.health];
  if (f.alerts) words.push(plural(f.alerts, "alert"));
  if (f.maintenance) words.push("in maintenance");
  if (f.throttled) words.push("throttled");
  return words.filter(Boolean).join(", ");
}

function marks(f) {
  const text = [];
  if (f.health === "critical") text.push("!!");
  else if (f.health === "warning") text.push("!");
  if (f.maintenance) text.push("M");
  if (f.throttled) text.push("T");
  return text.join(" ");
}

/* ---- the filter ---- */

const PREDICATES = {
  state: (f, word) => f.state === word,
  health: (f, word) => f.health === word,
  broker: (f, word) => f.broker.toLowerCase() === word,
  host: (f, word) => f.host.toLowerCase() === word,
  is: (f, word) => ({ alerting: f.alerts > 0, maintenance: f.maintenance, throttled: f.throttled })[word] ?? false,
};

/* A function that is true of what TEXT asks for. */
export function parseFilter(text) {
  const tests = text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const [name, ...rest] = word.split(":");
    const value = rest.join(":");
    if (rest.length && Object.hasOwn(PREDICATES, name)) return value ? (f) => PREDICATES[name](f, value) : () => true;
    return (f) => [f.id, f.broker, f.host].some((part) => part.toLowerCase().includes(word));
  });
  return (f) => tests.every((test) => test(f));
}

/* ---- tiles ---- */

class Tiles {
  constructor(root, sayShown) {
    this.root = root;
    this.sayShown = sayShown;
    this.tiles = new Map(); // id → {element, facts, shown, group}
    this.groups = new Map(); // name → {element, grid, head, tiles (in order)}
    this.groupBy = "broker";
    this.matches = () => true;
  }

  groupName(f) {
    return this.groupBy === "none" ? "" : f[this.groupBy] || "(none)";
  }

  group(name) {
    if (this.groups.has(name)) return this.groups.get(name);
    const head = h("h3");
    const note = h("span", { class: "quiet" });
    const grid = h("div", { class: "grid" });
    const element = h("section", { class: "group", data: { group: name } },
      this.groupBy === "none" ? null : h("div", { class: "group-head" }, head, note), grid);
    head.textContent = name;
    const group = { name, element, grid, note, tiles: [] };
    this.groups.set(name, group);
    const next = [...this.groups.values()].filter((other) => byName(other.name, name) > 0)
      .sort((a, b) => byName(a.name, b.name))[0];
    this.root.insertBefore(element, next ? next.element : null);
    return group;
  }

  add(f) {
    const name = h("span", { class: "name", text: f.id });
    const element = h("a", { class: "tile", href: instanceLink(f.id), data: { id: f.id } },
      glyph(f.state), name, h("span", { class: "marks", "aria-hidden": "true" }), h("span", { class: "count", "aria-hidden": "true" }));
    const tile = { element, facts: null, group: null };
    this.tiles.set(f.id, tile);
    return tile;
  }

  /* Puts a tile into its group, in the order of the ids. */
  place(tile, f) {
    const group = this.group(this.groupName(f));
    if (tile.group === group) return;
    this.unplace(tile);
    let low = 0;
    let high = group.tiles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byName(group.tiles[middle].id, f.id) < 0) low = middle + 1;
      else high = middle;
    }
    group.grid.insertBefore(tile.element, group.tiles[low]?.element ?? null);
    group.tiles.splice(low, 0, tile);
    tile.group = group;
    tile.id = f.id;
  }

  unplace(tile) {
    const group = tile.group;
    if (!group) return;
    group.tiles.splice(group.tiles.indexOf(tile), 1);
    tile.element.remove();
    tile.group = null;
    if (group.tiles.length) return;
    group.element.remove();
    this.groups.delete(group.name);
  }

  show(tile, f) {
    const { element } = tile;
    tile.facts = f;
    setData(element, "state", f.state);
    setData(element, "health", f.health);
    setData(element, "alerts", f.alerts);
    setData(element, "firing", f.firing ? "" : null);
    setData(element, "throttled", f.throttled ? "true" : null);
    setData(element, "maintenance", f.maintenance ? "true" : null);
    element.setAttribute("aria-label", describe(f));
    element.title = describe(f) + (f.broker ? "\nbroker " + f.broker : "") + (f.host ? "\nhost " + f.host : "");
    setGlyph(element.firstChild, f.state);
    setText(element.querySelector(".marks"), marks(f));
    setText(element.querySelector(".count"), f.alerts ? String(f.alerts) : "");
    element.hidden = !this.matches(f);
    this.place(tile, f);
  }

  remove(id) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    this.unplace(tile);
    this.tiles.delete(id);
  }

  /* IDS of instances that came, changed or went. */
  update(ids) {
    let changed = 0;
    for (const id of ids) {
      const one = state.instances.get(id);
      if (!one) {
        changed += this.tiles.has(id);
        this.remove(id);
        continue;
      }
      const f = facts(one);
      const tile = this.tiles.get(id) ?? this.add(f);
      if (tile.facts && Object.keys(f).every((key) => f[key] === tile.facts[key])) continue;
      this.show(tile, f);
      changed++;
    }
    if (changed) this.summarize();
  }

  regroup(by) {
    this.groupBy = by;
    const all = [...this.tiles.values()];
    for (const tile of all) this.unplace(tile);
    for (const tile of all) this.place(tile, tile.facts);
    this.summarize();
  }

  filter(text) {
    this.matches = parseFilter(text);
    for (const tile of this.tiles.values()) tile.element.hidden = !this.matches(tile.facts);
    this.summarize();
  }

  summarize() {
    let shown = 0;
    for (const group of this.groups.values()) {
      const visible = group.tiles.filter((tile) => !tile.element.hidden);
      shown += visible.length;
      group.element.hidden = visible.length === 0;
      setText(group.note, groupNote(visible));
      setData(group.element, "wrong", visible.some((tile) => tile.facts.state === "crashed" || tile.facts.health === "critical") ? "" : null);
    }
    const count = this.tiles.size;
    setData(this.root, "density", count > 240 ? "compact" : count > 60 ? "normal" : "roomy");
    this.sayShown(shown, count);
  }
}

function groupNote(tiles) {
  const counts = STATES.map((name) => [tiles.filter((tile) => tile.facts.state === name).length, name]);
  const others = counts.filter(([count, name]) => count && name !== "running").map(([count, name]) => `${count} ${name}`);
  return [String(tiles.length), ...others].join(" · ");
}

/* ---- the numbers ---- */

function countsPanel(root, setFilter) {
  const items = new Map();

  function item(name, label, filter, value) {
    if (!items.has(name)) {
      const number = h("span", { class: "number", data: { state: name }, text: "0" });
      const shape = STATES.includes(name) ? glyph(name) : null;
      const button = h("button", { type: "button", class: "stat", data: { stat: name }, title: filter === null ? "" : "Show these", onclick: () => setFilter(filter ?? "") },
        number, h("span", { class: "label" }, shape, label));
      items.set(name, number);
      root.append(button);
    }
    const number = items.get(name);
    setText(number, readiness() === "standby" ? "–" : String(value));
    setData(number.parentElement, "zero", value === 0 ? "" : null);
  }

  return () => {
    const s = state.status;
    if (!s) return;
    item("total", "instances", "", s.instances.total);
    for (const name of STATES) item(name, name, "state:" + name, s.instances[name]);
    const healths = Object.fromEntries(HEALTHS.map((name) => [name, 0]));
    for (const one of state.instances.values()) {
      if (one.health?.health_status in healths) healths[one.health.health_status]++;
    }
    for (const name of HEALTHS) item(name, name, "health:" + name, healths[name]);
    item("firing", "alerts firing", "is:alerting", firingCount());
    item("pending", "pending", "is:alerting", s.alerts.pending);
    item("trades", "open trades", "", s.trades_open);
  };
}

/* What somebody has to mend, and what would go unnoticed otherwise. */
function faultRows(s) {
  const rows = [];
  for (const one of s.streams.filter((stream) => stream.left_out))
    rows.push(["left-out", `${one.stream} is left out: its key holds something else than a stream, so nothing of it is read. Delete or rename that key.`]);
  if (s.instances_set_aside)
    rows.push(["set-aside", `${plural(s.instances_set_aside, "instance is", "instances are")} set aside and not shown: something else stands in the place of a hash in Redis. The log names the key; delete it.`]);
  if (s.notifications.failing)
    rows.push(["notifications", `${plural(s.notifications.failing, "webhook takes", "webhooks take")} no alerts, so nobody may hear of them. The last error: ${s.notifications.error}`]);
  if (!s.config_reload_ok)
    rows.push(["reload", "The last reload was refused: the configuration of before holds. mt5stated --check-config says what is wrong."]);
  return rows;
}

/* What holds for the whole of it and is no trouble of its own. */
function showNotices(root) {
  const s = state.status;
  const rows = s ? faultRows(s) : [];
  if (s?.guard_active) rows.push(["guard", "The guard holds: time was missed, so nothing is commanded and no alert fires until the data is fresh again."]);
  if (s?.observe_only) rows.push(["observe", "observe_only is set: this daemon watches and commands nothing."]);
  for (const group of s?.breaker_open ?? [])
    rows.push(["breaker", `The breaker is open for ${groupName(group)}: so many have crashed that nothing is commanded there until half of it runs again.`]);
  const key = JSON.stringify(rows);
  if (root.dataset.key === key) return;
  root.dataset.key = key;
  root.replaceChildren(...rows.map(([kind, text]) => h("p", { class: "notice", data: { notice: kind }, text })));
}

function emptyText(count) {
  if (count) return "None is like that.";
  if (state.fleetKnown) return "No instance has reported yet.";
  return state.status && !state.status.ready ? `Nothing is known: ${state.status.unready}.` : "Loading…";
}

/* ---- the view ---- */

export function fleetView(root) {
  const find = (selector) => root.querySelector(selector);
  const filter = find("#filter");
  const empty = find("#fleet-empty");
  const tiles = new Tiles(find("#fleet"), (shown, count) => {
    setText(find("#fleet-shown"), shown === count ? "" : `${shown} of ${count}`);
    empty.hidden = shown > 0;
    setText(empty, emptyText(count));
  });
  const setFilter = (text) => {
    filter.value = text;
    tiles.filter(text);
  };
  const showCounts = countsPanel(find("#counts"), setFilter);

  filter.addEventListener("input", () => tiles.filter(filter.value));
  find("#group-by").addEventListener("change", (event) => tiles.regroup(event.target.value));
  on("instances", (ids) => {
    tiles.update(ids);
    if (!ids.length) tiles.summarize();
    showCounts();
  });
  on("status", () => {
    showCounts();
    showNotices(find("#notices"));
    if (!state.fleetKnown) tiles.summarize();
  });
  alertsPanel(root);
  signalsPanel(root);
  recentEvents(root);
  tiles.update(state.instances.keys());
  tiles.summarize();
  showCounts();
  showNotices(find("#notices"));
  return {};
}
