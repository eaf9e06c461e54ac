/* Commands and maintenance. Each is asked once more in words that say what will happen, and goes out with the
 * token of this tab; what the daemon refuses is shown as it says it. The token lives in sessionStorage and
 * nowhere else, and is forgotten with the first 401. */
import { change, instancePath } from "./api.js";
import { h, plural, setText } from "./format.js";
import { toast } from "./frame.js";
import { state } from "./state.js";

const byId = (id) => document.getElementById(id);
const KEY = "mt5stated-token";

/* ---- the token ---- */

let token = null;

function readToken() {
  try {
    token ??= sessionStorage.getItem(KEY);
  } catch {
    /* Then it is kept here alone. */
  }
  return token;
}

function keepToken(value) {
  token = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    /* As above. */
  }
  byId("sign-out").hidden = !value;
}

/* Asks for a token; resolves with it, or null where there is none. */
function askToken(error) {
  const dialog = byId("token");
  const value = byId("token-value");
  value.value = "";
  byId("token-error").hidden = !error;
  setText(byId("token-error"), error ?? "");
  dialog.returnValue = "";
  dialog.showModal();
  value.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "save" ? value.value.trim() : "";
      value.value = "";
      if (given) keepToken(given);
      resolve(given || null);
    }, { once: true });
  });
}

/* ---- what can be done ---- */

/* `It has 2 open trades` and what that means; null where it has none. */
const openTrades = (one, meaning = "") => (one.open_trades ? `It has ${plural(one.open_trades, "open trade")}${meaning}.` : null);

function recoveryNote(one) {
  const gaveUp = one.alerts.some((alert) => alert.alert === "RecoveryFailure");
  return gaveUp ? "Recovery was given up; this arms it again and counts its attempts from 0." : "Automatic recovery is armed again, attempts count from 0.";
}

const REPORTS_MS = 60_000; // one that was heard of so lately still reports

const COMMANDS = {
  start: {
    title: "Start", verb: "Start it",
    what: (one) => `The agent of ${one.instance_id} is told to start its terminal, and it is wanted running from then on.`,
    notes: (one) => [one.state === "running" ? "It is running already." : null, recoveryNote(one)],
  },
  stop: {
    title: "Stop", verb: "Stop it", danger: true,
    what: (one) => `The agent of ${one.instance_id} is told to stop its terminal, and it is wanted stopped from then on.`,
    notes: (one) => [openTrades(one, ", which nobody watches over while it is stopped"), one.state === "stopped" ? "It is stopped already." : null],
  },
  restart: {
    title: "Restart", verb: "Restart it", danger: true,
    what: (one) => `The agent of ${one.instance_id} is told to restart its terminal.`,
    notes: (one) => [openTrades(one, ", which nobody watches over until it runs again")],
  },
  recover: {
    title: "Recover", verb: "Recover it",
    what: (one) => `The agent of ${one.instance_id} is told to recover its terminal, as after a crash.`,
    notes: (one) => [openTrades(one), recoveryNote(one)],
  },
};

const ACTIONS = {
  "maintenance-on": {
    title: "Maintenance", verb: "Begin maintenance", needsReason: true, hasDuration: true,
    what: (one) => `${one.instance_id} goes into maintenance: nothing is commanded automatically, no alert is notified, and its silence is no crash.`,
    notes: (one) => [one.maintenance ? "It is in maintenance already: this replaces reason and duration." : null, "Commands that you give go out all the same."],
    send: (one, reason, seconds) => ["PUT", "/maintenance", { reason, ...(seconds ? { seconds } : {}) }],
    done: (one) => `${one.instance_id} is in maintenance.`,
  },
  "maintenance-off": {
    title: "End maintenance", verb: "End it",
    what: (one) => `${one.instance_id} is watched again: alerts are notified, and it is recovered where it has to be.`,
    notes: () => ["A maintenance window of the configuration, if one is open, goes on."],
    send: (one, reason) => ["DELETE", "/maintenance", reason ? { reason } : null],
    done: (one) => `Maintenance of ${one.instance_id} has ended.`,
  },
  remove: {
    title: "Remove", verb: "Remove it", danger: true,
    what: (one) => `${one.instance_id} is forgotten and its keys in Redis are removed: state, metrics, health, alerts, why. The terminal itself is not touched.`,
    notes: (one) => ["If its agent still reports it comes back with its next complete report.", one.state === "running" ? "It is running." : null, openTrades(one)],
    send: (one, reason) => ["DELETE", "", reason ? { reason } : null],
    done: (one) => `${one.instance_id} was removed.` + (one.heartbeat_age_ms < REPORTS_MS ? " It still reports, and will come back with its next full report." : ""),
  },
};

function actionOf(button) {
  const { command, action } = button.dataset;
  if (action) return ACTIONS[action];
  return {
    ...COMMANDS[command],
    send: (one, reason) => ["POST", "/commands", { command, ...(reason ? { reason } : {}) }],
    done: (one, answer) => `${command} was given: ${answer?.command_id ?? one.instance_id}`,
  };
}

/* ---- asking once more ---- */

function notesOf(action, one) {
  const notes = action.notes(one).filter(Boolean);
  if (state.status && !state.status.ready) notes.push(`The daemon is not ready (${state.status.unready}): it will refuse.`);
  return notes;
}

function showError(text) {
  byId("confirm-error").hidden = !text;
  setText(byId("confirm-error"), text);
}

function prepare(action, one) {
  setText(byId("confirm-title"), `${action.title}: ${one.instance_id}`);
  setText(byId("confirm-what"), action.what(one));
  byId("confirm-notes").replaceChildren(...notesOf(action, one).map((text) => h("li", { text })));
  byId("confirm-duration-row").hidden = !action.hasDuration;
  byId("confirm-reason").value = "";
  byId("confirm-reason").placeholder = action.needsReason ? "" : "optional";
  setText(byId("confirm-yes"), action.verb);
  byId("confirm-yes").classList.toggle("danger", Boolean(action.danger));
  showError("");
}

let current = null; // {action, one, after}

async function send() {
  const { action, one, after } = current;
  const reason = byId("confirm-reason").value.trim();
  if (action.needsReason && !reason) {
    showError("A reason is needed: others will read it.");
    byId("confirm-reason").focus();
    return;
  }
  const given = readToken() ?? (await askToken());
  if (!given) return;
  const [method, path, body] = action.send(one, reason, Number(byId("confirm-duration").value));
  byId("confirm-yes").disabled = true;
  showError("");
  try {
    const answer = await change(method, instancePath(one.instance_id) + path, body, given);
    byId("confirm").close();
    toast(action.done(one, answer));
    after();
  } catch (problem) {
    byId("confirm-yes").disabled = false;
    await onRefused(problem);
  }
  byId("confirm-yes").disabled = false;
}

async function onRefused(problem) {
  if (problem.status === 401) {
    keepToken(null);
    showError("The daemon does not know this token.");
    if (await askToken(problem.message)) await send();
    return;
  }
  if (problem.status === 0) showError(`${problem.message}: whether it was done is not known. Look before you ask again.`);
  else showError(`Refused (${problem.status}): ${problem.message}`);
}

/* ---- binding ---- */

const REST_MS = 700;
let closedAt = -REST_MS;

/* A key that is still held down when the dialog has closed, and the focus is back on its button. */
const isHeld = (event) => event.detail === 0 && performance.now() - closedAt < REST_MS;

/* Buttons within ROOT act on INSTANCE(), an object of the API or null; AFTER is called when it is done. */
export function bindActions(root, instance, after) {
  root.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-command], [data-action]");
    const one = instance();
    if (!button || !one || isHeld(event)) return;
    if (!readToken() && !(await askToken())) return;
    current = { action: actionOf(button), one, after };
    prepare(current.action, one);
    byId("confirm").showModal();
    byId(current.action.needsReason ? "confirm-reason" : "confirm-no").focus();
  });
}

function submitOnEnter(input, fn) {
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    fn();
  });
}

function start() {
  const dialog = byId("token");
  byId("confirm").addEventListener("close", () => {
    closedAt = performance.now();
  });
  byId("confirm-no").addEventListener("click", () => byId("confirm").close());
  byId("confirm-yes").addEventListener("click", send);
  submitOnEnter(byId("confirm-reason"), () => byId("confirm-yes").focus());
  byId("token-save").addEventListener("click", () => dialog.close("save"));
  byId("token-cancel").addEventListener("click", () => dialog.close(""));
  submitOnEnter(byId("token-value"), () => dialog.close("save"));
  byId("sign-out").addEventListener("click", () => {
    keepToken(null);
    toast("The token is forgotten.");
  });
  byId("sign-out").hidden = !readToken();
}

start();
