// A date is typed as YYYY-MM-DD, the same for everybody; the browser's own calendar is a button beside it.
import { within } from "./dom.js";

function open(button) {
  const picker = button.parentElement.querySelector("[data-date-picker]");
  picker.value = button.parentElement.querySelector("input[type=text]").value;
  picker.showPicker();
}

// Before the filter form hears of the change, the text says what was chosen.
function chosen(event) {
  if (!event.target.matches?.("[data-date-picker]")) return;
  event.target.parentElement.querySelector("input[type=text]").value = event.target.value;
}

export function mountDates(root) {
  if (!("showPicker" in HTMLInputElement.prototype)) return;
  for (const button of within(root, "[data-date-open][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => open(button));
  }
}

export function startDates() {
  document.addEventListener("change", chosen, true);
}
