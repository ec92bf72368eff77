// What went wrong with a swap is said once; live parts say when they last came.
import { toast } from "./toast.js";

function liveNote(element) {
  return element.closest("[data-live]")?.querySelector("[data-live-note]");
}

async function reason(response) {
  const type = response.getResponseHeader("Content-Type") ?? "";
  if (!type.includes("problem+json")) return `The server answered ${response.status}.`;
  const problem = JSON.parse(response.responseText);
  return problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
}

// A part that came back unchanged is left alone: selections, focus and open tables survive.
const shown = new WeakMap();

function beforeSwap(event) {
  const { xhr, elt } = event.detail;
  if (new URL(xhr.responseURL || location.href).pathname.startsWith("/login/")) {
    event.detail.shouldSwap = false;
    location.reload(); // the session ended: a whole page can ask to sign in again
  } else if (elt.hasAttribute("data-live")) {
    if (shown.get(elt) === xhr.responseText) event.detail.shouldSwap = false;
    shown.set(elt, xhr.responseText);
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
    if (document.hidden && event.detail.elt.hasAttribute("data-live")) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", beforeSwap);
  document.addEventListener("htmx:afterRequest", (event) => {
    const note = event.detail.successful && liveNote(event.detail.elt);
    if (!note || note.hasAttribute("data-final")) return;
    delete note.dataset.stale;
    note.textContent = `Updated ${new Date().toLocaleTimeString()}`;
  });
}
