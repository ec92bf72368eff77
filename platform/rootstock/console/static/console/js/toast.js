// Short messages in the corner, read out by the live region around them. One may offer to take back what was done:
// `undo` is an address to POST to, and the message stays a little longer.
import { pageHeaders } from "./dom.js";

async function takeBack(item, undo) {
  item.remove();
  const answer = await fetch(undo, { method: "POST", headers: pageHeaders() }).catch(() => null);
  if (answer?.ok) location.reload();
  else toast("It could not be taken back.", "error");
}

export function toast(text, tone = "info", { seconds = 6, undo = "", undoLabel = "Undo" } = {}) {
  const region = document.getElementById("toasts");
  const template = document.getElementById("toast-template");
  if (!region || !template) return;
  const item = template.content.firstElementChild.cloneNode(true);
  item.dataset.tone = tone;
  item.querySelector("p").textContent = text;
  item.querySelector("[data-toast-close]").addEventListener("click", () => item.remove());
  const back = item.querySelector("[data-toast-undo]");
  back.hidden = !undo;
  back.textContent = undoLabel;
  back.addEventListener("click", () => takeBack(item, undo));
  region.append(item);
  let left = setTimeout(() => tone !== "error" && item.remove(), (undo ? 2 : 1) * seconds * 1000);
  item.addEventListener("focusin", () => clearTimeout(left));
  item.addEventListener("mouseenter", () => clearTimeout(left));
  item.addEventListener("mouseleave", () => (left = setTimeout(() => tone !== "error" && item.remove(), seconds * 1000)));
}

// The server sends one with `HX-Trigger: {"toast": {"text": …, "tone": …, "undo": …}}`; a page shows one by a button.
export function startToasts() {
  document.addEventListener("toast", ({ detail }) => toast(detail.text ?? detail.value, detail.tone, detail));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-toast]");
    if (button) toast(button.dataset.toast, button.dataset.toastTone, { undo: button.dataset.toastUndo });
  });
}
