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
  document.addEventListener("htmx:afterSwap", (event) => {
    const note = liveNote(event.detail.elt);
    if (!note) return;
    delete note.dataset.stale;
    note.textContent = `Updated ${new Date().toLocaleTimeString()}`;
  });
}
