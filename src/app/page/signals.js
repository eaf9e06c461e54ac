/* Signals: totals, plots; the streams they come by, and Redis. */
import { ageElement, bytes, duration, h, instanceLink, setData, setText, short } from "./format.js";
import { greatest, Plot, rate } from "./plots.js";
import { on, state } from "./state.js";

const TOTALS = [
  ["received", "received", ""],
  ["processed", "processed", ""],
  ["failed", "failed", "bad"],
  ["dropped", "dropped", "bad"],
  ["lost", "lost", "bad"],
  ["open", "open", ""],
  ["oldest", "oldest open", ""],
];

/* ---- totals ---- */

function totalsOf(root) {
  const values = new Map();
  for (const [name, label, kind] of TOTALS) {
    const value = h("dd", { data: { total: name, kind }, text: "–" });
    values.set(name, value);
    root.append(h("div", {}, h("dt", { text: label }), value));
  }
  return (signals) => {
    for (const [name] of TOTALS) {
      const raw = name === "oldest" ? signals.oldest_ms : signals[name];
      setText(values.get(name), name === "oldest" ? (raw ? duration(raw) : "–") : String(raw));
      setData(values.get(name), "value", raw);
      setData(values.get(name), "zero", raw ? null : "");
    }
  };
}

/* ---- plots ---- */

const perSecond = (value) => short(value) + "/s";
const milliseconds = (value) => (value < 10 ? short(value) + " ms" : duration(value));

function makePlots(root) {
  const place = (name) => root.querySelector(`[data-plot="${name}"]`);
  return [
    new Plot(place("flow"), {
      title: "Flow",
      format: perSecond,
      empty: "nothing has come yet",
      series: [
        { name: "received", class: "c-received", value: rate("received") },
        { name: "processed", class: "c-processed", value: rate("processed") },
        { name: "failed", class: "c-failed", value: rate("failed") },
        { name: "dropped", class: "c-dropped", value: rate("dropped") },
      ],
    }),
    new Plot(place("open"), {
      title: "Open",
      format: short,
      formatRight: duration,
      series: [
        { name: "open", class: "c-received", value: greatest("open") },
        { name: "oldest", class: "c-failed", right: true, value: greatest("oldest_ms") },
      ],
    }),
    new Plot(place("latency"), {
      title: "Latency",
      format: milliseconds,
      empty: "no signal has ended in the last ten minutes",
      series: [
        { name: "p50", class: "c-received", value: greatest("p50_ms") },
        { name: "p99", class: "c-failed", value: greatest("p99_ms") },
      ],
    }),
  ];
}

/* ---- those that are open longest ---- */

function drawOpen(table, signals) {
  const body = table.tBodies[0];
  table.hidden = signals.length === 0;
  const text = signals.map((one) => one.signal_id + one.accepted).join(" ");
  if (body.dataset.text === text) return;
  body.dataset.text = text;
  body.replaceChildren(...signals.map((one) => h("tr", { data: { signal: one.signal_id } },
    h("th", { scope: "row", text: one.signal_id }),
    h("td", { text: one.accepted ? one.action + ", accepted" : one.action }),
    h("td", {}, one.instance_id ? h("a", { href: instanceLink(one.instance_id), text: one.instance_id }) : null),
    h("td", {}, ageElement(one.since)))));
}

/* ---- streams and Redis ---- */

function drawStreams(body, streams) {
  const rows = new Map([...body.rows].map((row) => [row.dataset.stream, row]));
  for (const one of streams) {
    let row = rows.get(one.stream);
    if (!row) {
      row = h("tr", { data: { stream: one.stream } }, h("th", { scope: "row", text: one.stream }),
        ...["length", "lag", "entries", "rejected"].map((field) => h("td", { data: { field } })));
      body.append(row);
    }
    for (const cell of row.cells) {
      const { field } = cell.dataset;
      if (!field) continue;
      const value = one[field];
      setText(cell, value === null ? "–" : String(value));
      setData(cell, "wrong", value > 0 && (field === "rejected" || (field === "lag" && value > 100)) ? "" : null);
    }
  }
}

const REDIS = [
  ["up", "link", (r) => (r.up ? "up" : "down")],
  ["version", "version", (r) => r.version || "–"],
  ["instance_id", "name", (r) => r.instance_id || "–"],
  ["used_memory_bytes", "memory", (r) => (r.used_memory_bytes === null ? "–" : bytes(r.used_memory_bytes) + (r.maxmemory_bytes ? " of " + bytes(r.maxmemory_bytes) : ""))],
  ["fragmentation_ratio", "fragmentation", (r) => (r.fragmentation_ratio === null ? "–" : String(r.fragmentation_ratio))],
  ["ops_per_sec", "commands", (r) => (r.ops_per_sec === null ? "–" : perSecond(r.ops_per_sec))],
  ["evicted_keys", "evicted keys", (r) => (r.evicted_keys === null ? "–" : String(r.evicted_keys))],
  ["reconnects", "reconnects", (r) => String(r.reconnects)],
];

function redisOf(root) {
  const values = REDIS.map(([field, label]) => {
    const value = h("dd", { data: { field }, text: "–" });
    root.append(h("div", {}, h("dt", { text: label }), value));
    return value;
  });
  return (redis) => REDIS.forEach(([field, , text], i) => {
    setText(values[i], text(redis));
    setData(values[i], "value", redis[field]);
    const isWrong = (field === "up" && !redis.up) || (field === "evicted_keys" && redis.evicted_keys > 0);
    setData(values[i], "wrong", isWrong ? "" : null);
  });
}

export function signalsPanel(root) {
  const showTotals = totalsOf(root.querySelector("#totals"));
  const showRedis = redisOf(root.querySelector("#redis"));
  const body = root.querySelector("#streams tbody");
  const plots = makePlots(root);

  function showStatus() {
    const s = state.status;
    if (!s) return;
    showTotals(s.signals);
    drawStreams(body, s.streams);
    showRedis(s.redis);
  }

  function showPlots() {
    if (!root.isConnected) return;
    for (const plot of plots) plot.draw();
  }

  on("status", showStatus);
  on("history", showPlots);
  on("view", showPlots);
  on("signals", () => drawOpen(root.querySelector("#open-signals"), state.signals));
  showStatus();
}
