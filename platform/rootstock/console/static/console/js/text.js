// Times in the viewer's zone, JSON in colour, copy buttons. All of it reads well without this too.
import { within } from "./dom.js";
import { exact, moment } from "./times.js";

const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

// The server cuts days where the viewer's days begin.
export function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes(`rootstock_zone=${zone}`)) document.cookie = `rootstock_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax`;
}

function localTime(element) {
  const at = new Date(element.dateTime);
  element.textContent = moment(at);
  element.title = exact(at);
}

function colour(code) {
  const text = code.textContent;
  const pieces = [];
  let at = 0;
  for (const match of text.matchAll(TOKENS)) {
    const kind = match[2] !== undefined ? "key" : match[1] ? "string" : match[3] ? "number" : "literal";
    const shown = match[1] ?? match[0];
    pieces.push(text.slice(at, match.index));
    const piece = document.createElement("span");
    piece.className = kind;
    piece.textContent = shown;
    pieces.push(piece);
    at = match.index + shown.length;
  }
  pieces.push(text.slice(at));
  code.replaceChildren(...pieces);
}

async function copy(button) {
  await navigator.clipboard.writeText(button.closest("[data-code]").querySelector("code").textContent);
  const label = button.lastChild;
  label.textContent = " Copied";
  setTimeout(() => (label.textContent = " Copy"), 1500);
}

export function mountText(root) {
  within(root, "time[data-local]").forEach(localTime);
  for (const code of within(root, "code[data-json]:not([data-coloured])")) {
    code.dataset.coloured = "";
    if (code.textContent.length < 100_000) colour(code);
  }
  if (!navigator.clipboard) return;
  for (const button of within(root, "[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
