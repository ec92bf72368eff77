// Short messages in the corner, read out by the live region around them.
export function toast(text, tone = "info", seconds = 6) {
  const region = document.getElementById("toasts");
  const template = document.getElementById("toast-template");
  if (!region || !template) return;
  const item = template.content.firstElementChild.cloneNode(true);
  item.dataset.tone = tone;
  item.querySelector("p").textContent = text;
  item.querySelector("[data-toast-close]").addEventListener("click", () => item.remove());
  region.append(item);
  if (tone !== "error") setTimeout(() => item.remove(), seconds * 1000);
}
