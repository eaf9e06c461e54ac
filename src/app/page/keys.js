/* The keyboard: two-letter ways to the views, arrows from tile to tile. Nothing happens while somebody writes,
 * or a dialog is open, which has keys of its own. */
import { cycleTheme } from "./frame.js";

const SEQUENCE_MS = 1200;

const isWriting = (target) => target instanceof Element && target.closest("input, select, textarea") !== null;

/* ---- tiles ---- */

const visibleTiles = () => [...document.querySelectorAll("#fleet .tile")].filter((tile) => tile.offsetParent !== null);

/* The nearest tile of the next row in that direction. */
function vertical(tiles, from, sign) {
  const box = from.getBoundingClientRect();
  const middle = box.left + box.width / 2;
  let best = null;
  let bestRow = Infinity;
  let bestX = Infinity;
  for (const tile of tiles) {
    const other = tile.getBoundingClientRect();
    const down = (other.top - box.top) * sign;
    if (down < box.height / 2) continue;
    const across = Math.abs(other.left + other.width / 2 - middle);
    if (down < bestRow - 2 || (Math.abs(down - bestRow) <= 2 && across < bestX)) {
      best = tile;
      bestRow = Math.min(bestRow, down);
      bestX = across;
    }
  }
  return best;
}

function moveAmongTiles(key) {
  const tiles = visibleTiles();
  const at = tiles.indexOf(document.activeElement);
  let next = null;
  if (at < 0) next = tiles[0];
  else if (key === "ArrowLeft") next = tiles[at - 1];
  else if (key === "ArrowRight") next = tiles[at + 1];
  else next = vertical(tiles, tiles[at], key === "ArrowUp" ? -1 : 1);
  next?.focus();
  return Boolean(next) || at >= 0;
}

/* ---- keys ---- */

let started = 0; // when g was pressed

function goBack() {
  if (location.hash !== "" && location.hash !== "#/") location.hash = "#/";
}

function onEscape(event) {
  if (event.target.id === "filter" && event.target.value) {
    event.target.value = "";
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (isWriting(event.target)) {
    event.target.blur();
  } else {
    goBack();
  }
}

function onSecond(key) {
  started = 0;
  if (key === "f") location.hash = "#/";
  else if (key === "e") location.hash = "#/events";
  else return false;
  return true;
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return onEscape(event);
  if (isWriting(event.target)) return;
  if (started && performance.now() - started < SEQUENCE_MS && onSecond(event.key)) return event.preventDefault();
  started = 0;
  if (event.key === "g") started = performance.now();
  else if (event.key === "?") document.getElementById("help").showModal();
  else if (event.key === "t") cycleTheme();
  else if (event.key === "/") document.getElementById("filter")?.focus();
  else if (!event.key.startsWith("Arrow") || event.shiftKey || !document.querySelector("#fleet") || !arrows(event)) return;
  event.preventDefault();
}

/* Up and down scroll the page where no tile has the focus. */
function arrows(event) {
  const isOnTile = document.activeElement?.classList.contains("tile");
  const isOnNothing = document.activeElement === document.body || document.activeElement?.id === "view";
  return (isOnTile || isOnNothing) && moveAmongTiles(event.key);
}

export function startKeys() {
  document.addEventListener("keydown", onKey);
}
