/* What surrounds every view: whether what is shown is true, themes, help, what is said in passing. */
import { age, clock, h, plural, setText, utc } from "./format.js";
import { isStale, now, on, readiness, state } from "./state.js";

const byId = (id) => document.getElementById(id);

/* ---- is it well? ---- */

/* What each word of readiness means for whoever is awake now. */
const MEANINGS = {
  connecting: ["Redis cannot be reached", "Nothing is read, decided or commanded until it answers again. What is shown is what was known last."],
  loading: ["The state is being read from Redis", "Nothing is decided until that is done."],
  standby: ["Another mt5stated is the active one", "This one waits and knows nothing by itself. Open the page of the active one."],
  rollback: ["Redis has lost writes", "What it lost is being written back; nothing is decided meanwhile."],
  read_only: ["Redis takes no writes", "Nothing can be stored or commanded. Look at its log: a replica, a full disk, maxmemory, or a right that is missing."],
};

/* The way there is open, and then it says no. */
const REFUSES = ["Redis refuses mt5stated", "Nothing is read, decided or commanded until it is let in: look at redis.username, redis.password_file and the user's rights. What is shown is what was known last."];

const isRefusal = (error) => /^[A-Z ]+ refused|^[A-Z]{4,} /.test(error);

/* [what, means] for WORD; ERROR is what Redis, or the way to it, said. */
function meaningOf(word, error) {
  const [what, means] = word === "connecting" && isRefusal(error) ? REFUSES : MEANINGS[word] ?? [word, ""];
  return [what, error ? `${means} The last error: ${error}` : means];
}

const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/* {what, since (daemon's clock), means} where something is not well; null where it is. */
function trouble() {
  if (state.link === "lost" && state.denied)
    return { what: "Reading needs a token", since: state.linkSince, means: capital(state.linkWhy) + ". Load the page again and give a token as the password." };
  if (state.link === "lost")
    return { what: "The daemon does not answer", since: state.linkSince, means: `${capital(state.linkWhy)}. What is shown is from before. Is it running (systemctl status mt5stated), is the network up?` };
  const word = readiness();
  if (state.link === "connecting" || word === "ready") return null;
  const [what, means] = meaningOf(word, state.status.redis.error ?? "");
  const layers = state.status.unready_layers;
  if (layers) return { what: `${what}: ${layers}`, since: state.status.readiness_since_ms, means: `${means} Other layers go on.` };
  return { what, since: state.status.readiness_since_ms, means };
}

let troubled = null;

function showLink() {
  const word = readiness();
  document.body.dataset.link = state.link;
  document.body.dataset.ready = word;
  if (isStale()) document.body.dataset.stale = "";
  else delete document.body.dataset.stale;
  troubled = trouble();
  byId("banner").hidden = !troubled;
  byId("banner").dataset.kind = state.link === "lost" ? "lost" : word;
  setText(byId("banner-what"), troubled ? troubled.what : "");
  setText(byId("banner-means"), troubled ? troubled.means : "");
  showSince();
  setText(byId("link-text"), linkText(word));
  byId("link").title = state.streaming ? "Events come as they happen." : "Events do not come as they happen: the page asks instead.";
  showAbout();
}

function linkText(word) {
  if (state.link !== "live") return state.link === "lost" ? "no answer" : "connecting";
  return word === "ready" ? (state.streaming ? "live" : "polling") : word.replace("_", " ");
}

function showSince() {
  if (!troubled) return;
  const at = state.link === "lost" ? Date.now() : now();
  const since = troubled.since > 0 ? `since ${clock(troubled.since)} (${age(at - troubled.since)}).` : "";
  setText(byId("banner-since"), since);
  byId("banner-since").title = troubled.since > 0 ? utc(troubled.since) : "";
}

function showAbout() {
  const s = state.status;
  if (!s) return;
  setText(byId("about"), `mt5stated ${s.version}, up ${age(s.uptime_seconds * 1000)}, ${plural(s.instances.total, "instance")}`);
}

/* ---- themes ---- */

const THEMES = ["auto", "dark", "light"];

function readTheme() {
  try {
    const kept = localStorage.getItem("theme");
    return THEMES.includes(kept) ? kept : "auto";
  } catch {
    return "auto";
  }
}

function showTheme(theme) {
  const name = theme[0].toUpperCase() + theme.slice(1);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  setText(byId("theme"), name);
  byId("theme").setAttribute("aria-label", "Theme: " + theme);
  byId("theme").title = "Theme: auto, dark, light (t)";
  byId("theme").dataset.theme = theme;
}

export function cycleTheme() {
  const next = THEMES[(THEMES.indexOf(byId("theme").dataset.theme) + 1) % THEMES.length];
  try {
    localStorage.setItem("theme", next);
  } catch {
    /* Where nothing may be kept it holds until the page is closed. */
  }
  showTheme(next);
}

/* ---- said in passing ---- */

export function toast(text, kind = "good") {
  const one = h("div", { class: "toast", data: { kind }, text });
  byId("toasts").append(one);
  setTimeout(() => one.remove(), kind === "good" ? 6000 : 12_000);
}

export function startFrame() {
  on("link", showLink);
  on("status", showLink);
  setInterval(showSince, 1000);
  showTheme(readTheme());
  byId("theme").addEventListener("click", cycleTheme);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
  byId("help").addEventListener("close", () => {
    if (location.hash === "#/help") history.replaceState(null, "", "#/");
  });
  showLink();
}
