// `?` help, `g x` to an area, `/` to the filter, j/k/x/Enter through the rows of a table.
const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";

// Of a filter without a search: its first field.
const FIELD = ".filter-bar :is(input:not([type=hidden]), select)";

function rows() {
  return [...document.querySelectorAll("tr[data-href], tr[data-row]")];
}

function focusable(row) {
  const found = row.querySelector("a, input[type=checkbox]");
  if (!found) row.tabIndex = -1;
  return found ?? row;
}

// `x` ticks the row that is in focus.
function pick() {
  const box = rows().find((row) => row.contains(document.activeElement))?.querySelector("[data-pick]");
  box?.click();
}

function step(offset) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(all.length - 1, Math.max(0, at + offset))];
  (next.querySelector("a.row-link") ?? focusable(next)).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function help() {
  const dialog = document.getElementById("help");
  if (dialog && !dialog.open) dialog.showModal();
}

export function startKeyboard() {
  let pending = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
    if (pending === "g") {
      pending = "";
      const link = document.querySelector(`a[data-shortcut="${CSS.escape(event.key)}"]`);
      if (link) link.click();
      return;
    }
    if (event.key === "g") {
      pending = "g";
      setTimeout(() => (pending = ""), 1200);
    } else if (event.key === "?") help();
    else if (event.key === "/") {
      const search = document.querySelector(".filter-bar input[type=search], input[type=search]") ?? document.querySelector(FIELD);
      if (!search) return;
      event.preventDefault();
      search.focus();
    } else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "x") pick();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) return help();
    const row = event.target.closest("tr[data-href]");
    if (!row || event.target.closest("a, button, input, select, summary") || getSelection().toString()) return;
    if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank");
    else location.assign(row.dataset.href);
  });
}
