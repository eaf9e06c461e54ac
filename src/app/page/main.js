/* Begins: the frame, the routes within the page, the feed. Views are made once each and kept, so that what was
 * filtered or scrolled is still so on the way back; only the one that is shown is in the document. */
import { eventsView } from "./events.js";
import { startFeed } from "./feed.js";
import { tickAges } from "./format.js";
import { startFrame } from "./frame.js";
import { fleetView } from "./fleet.js";
import { instanceView } from "./instance.js";
import { startKeys } from "./keys.js";
import { emit, firingCount, on, state } from "./state.js";

const place = document.getElementById("view");
const made = new Map();
let shown = null;
let title = "mt5stated";

/* What a view is made of: {root, show(argument), hide()}. */
const makers = { fleet: fleetView, events: eventsView, instance: instanceView };

function view(name) {
  if (!made.has(name)) {
    const root = document.createElement("div");
    root.className = "view view-" + name;
    root.append(document.getElementById("view-" + name).content.cloneNode(true));
    made.set(name, { root, ...makers[name](root) });
  }
  return made.get(name);
}

function route() {
  const [, name = "", ...rest] = location.hash.replace(/^#/, "").split("/");
  if (name === "instance" && rest.length) return ["instance", decode(rest.join("/"))];
  if (name === "events") return ["events", null];
  if (name === "help") document.getElementById("help").showModal();
  return ["fleet", null];
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/* A tab in the background tells how many alerts fired when it was looked at last. */
function showTitle() {
  const firing = firingCount();
  const text = (state.link === "lost" ? "(?) " : firing ? `(${firing}) ` : "") + title;
  if (document.title !== text) document.title = text;
}

/* Where somebody was before: the scroll, and the focus, which went with the view that is gone. */
function arrive(name, next) {
  const isBack = name !== "instance";
  scrollTo(0, isBack ? next.scroll ?? 0 : 0);
  if (isBack && next.focused?.isConnected) next.focused.focus({ preventScroll: true });
  else if (document.activeElement === document.body) place.focus({ preventScroll: true });
}

function go() {
  const [name, argument] = route();
  const next = view(name);
  if (shown && shown !== next) {
    shown.scroll = scrollY;
    shown.focused = shown.root.contains(document.activeElement) ? document.activeElement : null;
    shown.hide?.();
  }
  const isOther = shown !== next;
  shown = next;
  if (isOther) place.replaceChildren(next.root);
  next.show?.(argument);
  if (isOther) arrive(name, next);
  for (const link of document.querySelectorAll("header [data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  title = (argument ? argument + " · " : name === "events" ? "Events · " : "") + "mt5stated";
  showTitle();
  emit("view", name);
}

startFrame();
startKeys();
addEventListener("hashchange", go);
on("status", showTitle);
on("link", showTitle);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  place.focus();
});
go();
startFeed();
setInterval(tickAges, 1000);
