// Declared tables: parts that swap, ticking rows and the bar that comes with it, density, dropdowns that close.
import { within } from "./dom.js";

const DENSITY = "rootstock_density";

function part(link) {
  return link.closest("[data-part]");
}

// The filter form says what the address says, also after a chip was taken away.
function sync(form, url) {
  for (const control of form.querySelectorAll("input:not([type=hidden], [data-date-picker]), select")) {
    const wanted = url.searchParams.get(control.name) ?? "";
    if (wanted.startsWith("~")) continue; // sealed: the field itself holds what it stands for
    if (control.value !== wanted && control !== document.activeElement) control.value = wanted;
  }
  const names = new Set([...form.querySelectorAll("input:not([type=hidden]), select")].map((one) => one.name));
  form.querySelectorAll("input[data-kept]").forEach((one) => one.remove());
  for (const [name, value] of url.searchParams) {
    if (names.has(name) || /(^|_|-)(after|before|view|format)$/.test(name)) continue;
    const kept = document.createElement("input");
    Object.assign(kept, { type: "hidden", name, value });
    kept.dataset.kept = "";
    form.prepend(kept);
  }
}

function pushed(event) {
  const url = new URL(event.detail.path, location.href);
  for (const form of document.querySelectorAll("form[data-filter]")) sync(form, url);
}

// Leaving a search field tells of a change that its own typing has already brought.
function typed(event) {
  if (event.target.matches?.("form[data-filter] input[type=search]")) event.stopPropagation();
}

// Empty parameters would make an address nobody can read.
function tidy(event) {
  const form = event.target.closest?.("form[data-filter]");
  if (!form) return;
  for (const [name, value] of [...event.detail.formData]) if (!value) event.detail.formData.delete(name);
}

function picks(place) {
  return [...place.querySelectorAll("[data-pick]")];
}

export function refreshBulk(place) {
  const bar = place.querySelector("[data-bulk]");
  if (!bar) return;
  const all = picks(place);
  const chosen = all.filter((box) => box.checked);
  bar.hidden = !chosen.length;
  bar.querySelector("[data-bulk-count]").textContent = String(chosen.length);
  const every = place.querySelector("[data-pick-all]");
  if (every) {
    every.checked = chosen.length > 0 && chosen.length === all.length;
    every.indeterminate = chosen.length > 0 && chosen.length < all.length;
  }
  for (const box of all) box.closest("tr").toggleAttribute("data-picked", box.checked);
}

function change(event) {
  const place = part(event.target);
  if (!place) return;
  if (event.target.matches("[data-pick-all]")) for (const box of picks(place)) box.checked = event.target.checked;
  if (event.target.matches("[data-pick], [data-pick-all]")) refreshBulk(place);
}

function click(event) {
  const clear = event.target.closest("[data-bulk-clear]");
  if (clear) {
    for (const box of picks(part(clear))) box.checked = false;
    refreshBulk(part(clear));
  }
  const density = event.target.closest("[data-density]");
  if (density) setDensity(document.documentElement.dataset.density === "dense" ? "" : "dense");
  for (const open of document.querySelectorAll("details.dropdown[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
}

function setDensity(value) {
  if (value) document.documentElement.dataset.density = value;
  else delete document.documentElement.dataset.density;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${DENSITY}=${value}; Path=/; Max-Age=${value ? 31536000 : 0}; SameSite=Lax${secure}`;
  nameDensity(document);
}

function nameDensity(root) {
  const dense = document.documentElement.dataset.density === "dense";
  for (const button of within(root, "[data-density]")) {
    button.hidden = false;
    button.querySelector("[data-density-label]").textContent = dense ? "Roomier rows" : "Denser rows";
  }
}

function escape(event) {
  const open = event.key === "Escape" && event.target.closest?.("details.dropdown[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
  event.stopPropagation();
}

export function mountTables(root) {
  nameDensity(root);
  for (const place of within(root, "[data-part]")) refreshBulk(place);
}

export function startTables() {
  document.addEventListener("click", click);
  document.addEventListener("change", typed, true);
  document.addEventListener("change", change);
  document.addEventListener("keydown", escape);
  document.addEventListener("htmx:configRequest", tidy);
  document.addEventListener("htmx:pushedIntoHistory", pushed);
}
