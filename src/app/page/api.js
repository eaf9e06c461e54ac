/* Asking the daemon: JSON, changes with a token, and the stream of events. An answer that is no success is a
 * Problem, whose status is 0 where there was no answer at all. */

const TIMEOUT_MS = 6000;
const CHANGE_TIMEOUT_MS = 10_000; // the daemon itself gives up after 5 s
const SILENCE_MS = 40_000; // a stream says something every 15 s

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function problemOf(response) {
  let detail = `the answer was ${response.status} ${response.statusText}`.trim();
  try {
    const body = await response.json();
    detail = body.detail || body.title || detail;
  } catch {
    /* Not from the daemon: a proxy in between. */
  }
  return new Problem(response.status, String(detail));
}

/* Absolute: an address that was opened with a password in it cannot be asked relative to. */
async function request(path, options, timeout) {
  const given = new AbortController();
  const timer = setTimeout(() => given.abort(), timeout);
  try {
    const response = await fetch(location.origin + path, { cache: "no-store", redirect: "error", signal: given.signal, ...options });
    if (!response.ok) throw await problemOf(response);
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(0, given.signal.aborted ? `no answer within ${timeout / 1000} s` : "no answer");
  } finally {
    clearTimeout(timer);
  }
}

export const get = (path) => request(path, {}, TIMEOUT_MS);

/* A change. TOKEN goes as Bearer, which no other page can make a browser send. */
export function change(method, path, body, token) {
  const headers = { Authorization: "Bearer " + token, "Content-Type": "application/json" };
  return request(path, { method, headers, body: body ? JSON.stringify(body) : undefined }, CHANGE_TIMEOUT_MS);
}

export const instancePath = (id) => "/api/v1/instances/" + encodeURIComponent(id);

/* ---- the stream of events ---- */

/* Follows the events until the stream ends; throws a Problem where it cannot. By fetch and not by EventSource,
 * which gives up for good at a 503, knows only events that it was told the names of, and cannot tell a silent
 * connection from a dead one. FROM is the last id that was seen, or null;
 * CONTROLLER ends it, and is aborted where nothing comes any more. */
export async function follow(from, { onOpen, onMessage }, controller) {
  let timer = setTimeout(() => controller.abort(), SILENCE_MS);
  const headers = { Accept: "text/event-stream" };
  if (from) headers["Last-Event-ID"] = from;
  try {
    const response = await fetch(location.origin + "/api/v1/events", { cache: "no-store", headers, signal: controller.signal });
    if (!response.ok) throw await problemOf(response);
    onOpen();
    const parse = parser(onMessage);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), SILENCE_MS);
      parse(value);
    }
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

/* Takes text as it comes; calls ONMESSAGE(id, name, data) at each empty line. */
export function parser(onMessage) {
  let rest = "";
  let message = { id: null, name: "message", data: null };
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        onMessage(message.id, message.name, message.data);
        message = { id: null, name: "message", data: null };
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === "id") message.id = value;
      else if (name === "event") message.name = value;
      else if (name === "data") message.data = message.data === null ? value : message.data + "\n" + value;
    }
  };
}
