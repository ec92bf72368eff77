// The command palette: Ctrl-K or Cmd-K. A combobox over a listbox; focus stays in the text, arrows move the choice.
import { pageHeaders } from "./dom.js";

const WAIT_MS = 140;
const RECENT = "rootstock.recent";
const MOST_RECENT = 6;

let dialog;
let input;
let list;
let note;
let commands = null; // pages and actions, fetched on the first opening
let options = []; // what the shown options do, in order
let chosen = 0;
let asked = 0;
let entered = null; // Enter came before there was anything to choose: run the first choice that arrives

function words(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

function fits(item, text) {
  const told = `${item.label} ${item.hint}`.toLowerCase();
  return words(text).every((word) => told.includes(word));
}

// What was opened in this tab by this person; forgotten with the tab, and when somebody else signs in.
function recent() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(RECENT) ?? "{}");
    return kept.person === dialog.dataset.person ? kept.items : [];
  } catch {
    return [];
  }
}

function remember() {
  if (!/[0-9a-f]{8}-[0-9a-f]{4}/.test(location.pathname)) return; // things have an id in their address, lists have not
  const label = document.querySelector("h1")?.textContent.trim();
  if (!label) return;
  const here = { label, url: location.pathname, hint: "Recent", symbol: "history", keys: "", press: "" };
  const items = [here, ...recent().filter((item) => item.url !== here.url)].slice(0, MOST_RECENT);
  sessionStorage.setItem(RECENT, JSON.stringify({ person: dialog.dataset.person, items }));
}

async function fetchGroups(text) {
  // Posted: what somebody looks for may name a person, and addresses are kept by proxies.
  const response = await fetch(dialog.dataset.palette, {
    method: "POST",
    headers: pageHeaders(),
    body: new URLSearchParams({ q: text }),
  });
  if (!response.ok || response.redirected) throw new Error(String(response.status));
  return (await response.json()).groups;
}

function symbol(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${dialog.dataset.sprite}#${name}`);
  svg.append(use);
  return svg;
}

function span(css, text) {
  const element = document.createElement("span");
  element.className = css;
  element.textContent = text;
  return element;
}

function option(item) {
  const element = document.createElement("div");
  element.className = "palette-option";
  element.role = "option";
  element.id = `palette-${options.length}`;
  element.append(symbol(item.symbol), span("palette-label", item.label), span("meta", item.hint));
  if (item.keys) element.append(Object.assign(document.createElement("kbd"), { textContent: item.keys }));
  element.addEventListener("click", () => run(item));
  element.addEventListener("mousemove", () => choose(options.findIndex((one) => one.element === element)));
  options.push({ item, element });
  return element;
}

function show(groups, words) {
  options = [];
  const parts = groups.filter((group) => group.items.length).map((group) => {
    const part = document.createElement("div");
    part.role = "group";
    part.setAttribute("aria-label", group.label);
    const head = span("palette-head", group.label);
    head.setAttribute("aria-hidden", "true");
    part.append(head, ...group.items.map(option));
    return part;
  });
  list.replaceChildren(...parts);
  note.textContent = words ?? (options.length ? "" : "Nothing found. Ids and references are compared from their beginning.");
  note.hidden = !note.textContent;
  choose(0);
  if (entered && options.length) run(options[0].item, entered.aside);
}

function choose(index) {
  if (!options.length) return input.removeAttribute("aria-activedescendant");
  chosen = (index + options.length) % options.length;
  options.forEach(({ element }, at) => element.setAttribute("aria-selected", String(at === chosen)));
  const { element } = options[chosen];
  input.setAttribute("aria-activedescendant", element.id);
  element.scrollIntoView({ block: "nearest" });
}

function run(item, aside = false) {
  entered = null;
  dialog.close();
  if (item.press) document.querySelector(item.press)?.click();
  else if (aside) window.open(item.url, "_blank");
  else location.assign(item.url);
}

function local(text) {
  const groups = commands ?? [];
  if (!text) return [{ label: "Recent", items: recent() }, ...groups];
  return [{ label: "Recent", items: recent() }, ...groups].map((group) => ({ ...group, items: group.items.filter((item) => fits(item, text)) }));
}

async function search() {
  const text = input.value.trim();
  const mine = ++asked;
  show(local(text), text.length > 1 ? "Searching…" : undefined);
  if (text.length < 2) return;
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  if (mine !== asked) return;
  try {
    const found = await fetchGroups(text);
    if (mine === asked) show([...local(text), ...found]);
  } catch {
    if (mine === asked) show(local(text), "The server did not answer; only pages and actions are shown.");
  }
}

async function open() {
  if (dialog.open || document.querySelector("dialog[open]")) return;
  dialog.showModal();
  entered = null;
  input.value = "";
  input.focus();
  show(local(""), commands ? undefined : "Loading…");
  try {
    commands ??= await fetchGroups("");
    if (dialog.open) search();
  } catch {
    note.hidden = false;
    note.textContent = "The server did not answer. Close this and try again.";
  }
}

function keys(event) {
  const moves = { ArrowDown: chosen + 1, ArrowUp: chosen - 1 };
  if (event.key in moves) choose(moves[event.key]);
  else if (event.key === "Enter" && !event.isComposing) enter(event.ctrlKey || event.metaKey);
  else return;
  event.preventDefault();
}

function enter(aside) {
  if (options.length) run(options[chosen].item, aside);
  else entered = { aside };
}

function typed() {
  entered = null;
  search();
}

export function startPalette() {
  dialog = document.getElementById("palette");
  if (!dialog) return sessionStorage.removeItem(RECENT); // signed out
  input = dialog.querySelector("input");
  list = dialog.querySelector("[role=listbox]");
  note = dialog.querySelector("[data-palette-note]");
  remember();
  input.addEventListener("input", typed);
  input.addEventListener("keydown", keys);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.querySelector("[data-palette-open]")?.addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
}
