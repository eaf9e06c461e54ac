/* The words of decisions as sentences, and the chains of causes of one instance. Words that are not in these
 * tables are shown as they came. */
import { h, parseTime, timeElement } from "./format.js";

/* ---- words ---- */

const HOLDS = {
  maintenance: "it is in maintenance",
  guard: "the guard holds, since time was missed",
  breaker: "the breaker is open: too much of its group has crashed",
  cooldown: "too soon after the last recovery",
  max_concurrent: "as many recoveries as may be are under way",
  launch_mode: "instances of its launch mode are not recovered automatically",
  observe_only: "observe_only is set",
  disarmed: "an operator has stopped it, automatic recovery rests until it is started",
  "given up": "recovery was given up, until it is started or recovered by hand",
  no_target: "no other instance can take its work",
  under_way: "another command is under way",
};

const REFUSALS = {
  "no recover": "Not recovered",
  "no reconnect": "Not reconnected",
  "no throttle": "Not throttled",
  "no unthrottle": "Not released from throttling",
  "no redistribute": "Its work was not handed on",
  "no stop": "Not stopped",
  "no restart": "Not restarted",
  "no start": "Not started",
  not_firing: "Nothing is done, as the alert does not fire",
};

const DECISIONS = {
  recover: "It is to be recovered",
  reconnect: "It is to reconnect",
  throttle: "It is to be throttled",
  unthrottle: "Throttling is to end",
  redistribute: "Its work is to be handed on",
  stop: "It is to be stopped",
  start: "It is to be started",
  restart: "It is to be restarted",
  armed: "Recovery is armed again",
  "give up": "Recovery is given up",
  "maintenance on": "Maintenance begins",
  "maintenance off": "Maintenance ends",
};

const ALERTS = { firing: "fires", resolved: "is resolved", inactive: "is over before it fired" };

const ANSWERS = {
  accepted: "The agent has taken on",
  ok: "Done:",
  failed: "Failed:",
  expired: "Nobody has answered in time:",
  cancelled: "Withdrawn:",
};

const CAUSES = {
  report: "A report",
  signal: "A signal",
  result: "A result",
  trade: "A trade update",
  timer: "A timer",
  adopted: "A write by others",
  reconcile: "A comparison with Redis",
  operator: "An operator",
};

const lookUp = (table, word) => (Object.hasOwn(table, word) ? table[word] : word);

/* What `doing` of an alert says, as a sentence. */
export function doingSentence(doing, isThrottled) {
  if (doing === "nothing") return isThrottled ? "It is throttled." : "Nothing is under way.";
  const held = /^nothing: (\w+)$/.exec(doing);
  if (held) return "Nothing is done: " + lookUp(HOLDS, held[1]) + ".";
  if (doing.startsWith("nothing: ")) return "Nothing is done: " + doing.slice(9) + ".";
  const text = doing[0].toUpperCase() + doing.slice(1);
  return text.endsWith(".") ? text : text + ".";
}

const shownValue = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value));

/* `92.1, limit 80`; empty where there is nothing to tell. */
export function valueText(one) {
  if (one.value === undefined || one.value === null) return "";
  if (one.threshold === undefined || typeof one.value === "string") return shownValue(one.value);
  return `${shownValue(one.value)}, limit ${shownValue(one.threshold)}`;
}

const withReason = (text, reason) => (reason ? text + ": " + reason : text);

function sampleSentence(step) {
  const value = valueText(step);
  const lasting = step.status === "pending" ? ", which fires if it lasts" : "";
  return withReason(`${step.alert ?? "A sample"} is true${value ? " at " + value : ""}${lasting}`, step.reason);
}

function alertSentence(step) {
  const value = valueText(step);
  return withReason(`${step.alert ?? "The alert"} ${lookUp(ALERTS, step.status ?? "")}${value ? " at " + value : ""}`, step.reason);
}

function decisionSentence(step) {
  const status = step.status ?? "";
  if (Object.hasOwn(REFUSALS, status) || status.startsWith("no "))
    return withReason(lookUp(REFUSALS, status), step.reason ? lookUp(HOLDS, step.reason) : "");
  return withReason(lookUp(DECISIONS, status), step.reason);
}

function commandSentence(step) {
  if (step.status !== "issued") return withReason(`Command ${step.command_id ?? ""} ${step.status ?? ""}`, step.reason);
  return withReason(`Command ${step.command_id ?? ""} is given`, step.reason);
}

function answerSentence(step) {
  return withReason(`${lookUp(ANSWERS, step.status ?? "")} ${step.command_id ?? ""}`, step.reason);
}

const SENTENCES = {
  sample: sampleSentence,
  alert: alertSentence,
  decision: decisionSentence,
  command: commandSentence,
  answer: answerSentence,
};

export function stepSentence(step) {
  const tell = Object.hasOwn(SENTENCES, step.step) ? SENTENCES[step.step] : (one) => withReason(`${one.step} ${one.status ?? ""}`, one.reason);
  return tell(step).trim();
}

/* How a step is to be seen: good, bad, or held back. */
function toneOf(step) {
  const status = step.status ?? "";
  if (status === "ok" || status === "resolved" || status === "armed") return "good";
  if (status === "failed" || status === "firing" || status === "give up") return "bad";
  if (status.startsWith("no ") || status === "expired" || status === "cancelled") return "held";
  return "";
}

/* ---- chains ---- */

function causeText(id) {
  const kind = /^[a-z]+/.exec(id ?? "")?.[0] ?? "";
  return lookUp(CAUSES, kind) || "Something";
}

/* Steps of one correlation_id together, in the order in which each began. */
export function chainsOf(steps) {
  const chains = new Map();
  for (const step of steps) {
    const id = step.correlation_id ?? "";
    if (!chains.has(id)) chains.set(id, []);
    chains.get(id).push(step);
  }
  return [...chains.values()];
}

const timeOf = (step) => step.at_ms ?? parseTime(step.at);

function stepElement(step) {
  return h("li", { data: { kind: step.step, status: step.status ?? "", tone: toneOf(step) } },
    h("span", { class: "step-time" }, timeElement(timeOf(step))),
    h("span", { class: "step-kind", text: step.step }),
    h("span", { class: "step-text", text: stepSentence(step) + "." }));
}

function chainElement(steps) {
  const id = steps[0].correlation_id ?? "";
  return h("section", { class: "chain", data: { correlation: id } },
    h("h3", { title: id }, causeText(id), h("span", { class: "quiet" }, " at ", timeElement(timeOf(steps[0])))),
    h("ol", {}, ...steps.map(stepElement)));
}

/* STEPS in the order of time, each `disarmed` that is due to a recovery that was given up told as that. Where
 * the steps do not say, IS_GIVEN_UP does. */
function tellGivenUp(steps, isGivenUp) {
  const tells = (step) => step.step === "decision" && (step.status === "give up" || step.status === "armed");
  const first = steps.find(tells);
  let givenUp = first ? first.status === "armed" : isGivenUp;
  return steps.map((step) => {
    if (tells(step)) givenUp = step.status === "give up";
    return givenUp && step.reason === "disarmed" ? { ...step, reason: "given up" } : step;
  });
}

export function drawWhy(root, steps, isGivenUp) {
  root.replaceChildren(...chainsOf(tellGivenUp(steps, isGivenUp)).map(chainElement));
}
