/* Alerts with their age and what is being done about them; those of whole groups first, then those that fire,
 * the critical ones before the others, the oldest first. */
import { ageElement, groupName, h, instanceLink, parseTime, setText } from "./format.js";
import { firingCount, on, readiness, state } from "./state.js";
import { doingSentence, valueText } from "./why.js";

const SHOWN_MAX = 200;

const rank = (alert) => (alert.group !== undefined ? 0 : 4) + (alert.status === "firing" ? 0 : 2) + (alert.severity === "critical" ? 0 : 1);

const inOrder = (a, b) => rank(a) - rank(b) || parseTime(a.since) - parseTime(b.since);

const keyOf = (alert) => [alert.instance_id ?? "", alert.group ?? "", alert.alert].join("\n");

/* One alert; INSTANCE is left out where it is told anyway. */
export function alertElement(alert, withInstance = true) {
  const where = alert.group !== undefined
    ? h("span", { class: "alert-where", text: groupName(alert.group) })
    : h("a", { class: "alert-where", href: instanceLink(alert.instance_id ?? ""), text: alert.instance_id });
  const since = parseTime(alert.status === "firing" ? alert.fired_at ?? alert.since : alert.since);
  return h("li", {
    class: "alert",
    data: { instance: alert.instance_id ?? "", alert: alert.alert, status: alert.status, severity: alert.severity ?? "" },
  },
    h("div", { class: "alert-line" },
      h("span", { class: "alert-mark", "aria-hidden": "true", text: alert.severity === "critical" ? "!!" : "!" }),
      h("strong", { class: "alert-name", text: alert.alert }),
      withInstance ? where : null,
      h("span", { class: "alert-age" }, h("span", { class: "alert-status", text: alert.status }), " ", ageElement(since))),
    h("div", { class: "alert-more" },
      h("span", { class: "alert-severity", text: alert.severity ?? "" }),
      h("span", { class: "alert-value", text: alert.group === undefined ? valueText(alert) : `${alert.value} of ${alert.threshold} have crashed` }),
      alert.doing ? h("span", { class: "alert-doing", data: { doing: alert.doing }, text: doingSentence(alert.doing, alert.throttled) }) : null));
}

/* Makes ELEMENT what FRESH is; its link stays, and with it the focus that it may have. */
function change(element, fresh) {
  Object.assign(element.dataset, fresh.dataset);
  for (const part of [".alert-mark", ".alert-age", ".alert-more"])
    element.querySelector(part).replaceWith(fresh.querySelector(part));
}

/* Draws LIST into ROOT; what has not changed stays as it is. */
export function drawAlerts(root, list, withInstance) {
  const kept = new Map([...root.children].map((element) => [element.alertKey, element]));
  let place = root.firstElementChild;
  for (const alert of list) {
    const key = keyOf(alert);
    const text = JSON.stringify(alert);
    const element = kept.get(key) ?? alertElement(alert, withInstance);
    if (element.alertKey && element.alertText !== text) change(element, alertElement(alert, withInstance));
    element.alertKey = key;
    element.alertText = text;
    kept.delete(key);
    if (element === place) place = place.nextElementSibling;
    else root.insertBefore(element, place);
  }
  for (const gone of kept.values()) gone.remove();
}

export function alertsPanel(root) {
  const list = root.querySelector("#alerts");
  const empty = root.querySelector("#alerts-empty");
  const count = root.querySelector("#alerts-count");

  function draw() {
    const isStandby = readiness() === "standby";
    if (!state.alerts || isStandby) {
      drawAlerts(list, [], true);
      setText(count, "");
      empty.hidden = false;
      setText(empty, isStandby ? "The active daemon knows." : "Loading…");
      return;
    }
    const alerts = state.alerts.map((alert) => ({ ...alert, throttled: state.instances.get(alert.instance_id)?.throttled })).sort(inOrder);
    drawAlerts(list, alerts.slice(0, SHOWN_MAX), true);
    const firing = alerts.filter((alert) => alert.status === "firing").length;
    const more = state.alertsMore || alerts.length > SHOWN_MAX;
    const [all, waiting] = state.alertsMore ? [firingCount(), state.status.alerts.pending] : [firing, alerts.length - firing];
    setText(count, alerts.length ? `${all} firing, ${waiting} pending` + (more ? `, the first ${Math.min(SHOWN_MAX, alerts.length)} shown` : "") : "");
    empty.hidden = alerts.length > 0;
    setText(empty, "Nothing is wrong.");
  }

  on("alerts", draw);
  on("status", () => {
    if (!state.alerts || readiness() === "standby") draw();
  });
  draw();
}
