// Asks before what cannot be undone. `data-confirm` names the consequence, `data-confirm-title` the question and
// `data-confirm-yes` the button; on a form or one of its buttons, or as hx-confirm on an htmx element. A form or button
// with `data-confirm-reason` asks why too, and puts that into the form's field `reason`: "required" or "optional".
function ask(source, text) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-confirm-title]").textContent = source.dataset.confirmTitle ?? "Are you sure?";
  dialog.querySelector("[data-confirm-text]").textContent = text;
  dialog.querySelector("[data-confirm-yes]").textContent = source.dataset.confirmYes ?? "Yes";
  const wanted = source.dataset.confirmReason ?? "";
  const reason = dialog.querySelector("textarea");
  dialog.querySelector("[data-confirm-reason]").hidden = !wanted;
  dialog.querySelector("[data-confirm-optional]").hidden = wanted !== "optional";
  reason.required = wanted === "required";
  reason.value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  if (wanted) reason.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function startConfirm() {
  const agreed = new WeakSet();
  document.addEventListener(
    "submit",
    async (event) => {
      const form = event.target;
      const submitter = event.submitter;
      const source = submitter?.dataset.confirm ? submitter : form;
      if (!source.dataset?.confirm || agreed.has(form)) return;
      event.preventDefault();
      event.stopPropagation();
      if (await ask(source, source.dataset.confirm)) {
        if (source.dataset.confirmReason) form.elements.reason.value = document.getElementById("confirm-reason").value;
        agreed.add(form);
        form.requestSubmit(submitter);
        agreed.delete(form);
      }
    },
    true,
  );
  document.addEventListener("htmx:confirm", async (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    if (await ask(event.detail.elt, event.detail.question)) event.detail.issueRequest(true);
  });
}
