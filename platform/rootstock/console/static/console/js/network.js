// What went wrong with a swap is said once; live parts say when they last came.
import { second } from "./times.js";
import { toast } from "./toast.js";

// A part that replaces itself is found again by its id.
function liveNote(element) {
  const place = element.closest("[data-live]");
  return ((place?.id && document.getElementById(place.id)) || place)?.querySelector("[data-live-note]");
}

async function reason(response) {
  const type = response.getResponseHeader("Content-Type") ?? "";
  if (!type.includes("problem+json")) return `The server answered ${response.status}.`;
  const problem = JSON.parse(response.responseText);
  return problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
}

// A part that came back unchanged is left alone: selections, focus and open tables survive.
const shown = new Map();

// Nor is one that somebody is using: an open menu, ticked rows.
function inUse(part) {
  return part.querySelector("details.dropdown[open], [data-pick]:checked") !== null;
}

function beforeSwap(event) {
  const { xhr, elt } = event.detail;
  if (new URL(xhr.responseURL || location.href).pathname.startsWith("/login/")) {
    event.detail.shouldSwap = false;
    location.reload(); // the session ended: a whole page can ask to sign in again
  } else if (elt.hasAttribute("data-live")) {
    const key = elt.id || elt;
    if (shown.get(key) === xhr.responseText || inUse(elt)) event.detail.shouldSwap = false;
    else shown.set(key, xhr.responseText);
  }
}

export function startNetwork() {
  const lost = (event) => {
    const note = liveNote(event.detail.elt);
    if (!note) return toast("The server cannot be reached. Nothing was changed.", "error");
    note.dataset.stale = "";
    note.textContent = "Reconnecting…";
  };
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);
  document.addEventListener("htmx:responseError", async (event) => {
    const { xhr, elt } = event.detail;
    if (liveNote(elt) && xhr.status >= 500) lost(event);
    else toast(await reason(xhr), "error");
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, target } = event.detail;
    if (document.hidden && elt.hasAttribute("data-live")) event.preventDefault();
    else if (!elt.hasAttribute("data-live")) target?.setAttribute("aria-busy", "true"); // the style waits 300 ms
  });
  document.addEventListener("htmx:afterRequest", (event) => event.detail.target?.removeAttribute("aria-busy"));
  document.addEventListener("htmx:beforeSwap", beforeSwap);
  document.addEventListener("htmx:afterRequest", (event) => {
    // A part that has replaced itself is gone from the page, and htmx then names what was around it as the element.
    const { elt, target, successful } = event.detail;
    const note = successful && liveNote(target?.hasAttribute("data-live") ? target : elt);
    if (!note || note.hasAttribute("data-final")) return;
    delete note.dataset.stale;
    note.textContent = `Updated ${second(new Date())}`;
  });
}
