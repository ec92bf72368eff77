// Drop zones: each file goes on its own, with its progress and what was checked of it. XMLHttpRequest, because fetch
// tells nothing of what has been sent so far.
import { pageHeaders, within } from "./dom.js";

const UNITS = ["bytes", "KB", "MB", "GB"];

function size(bytes) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${UNITS[power]}`;
}

function copy(form, name) {
  return form.querySelector(`template[data-upload-${name}]`).content.firstElementChild.cloneNode(true);
}

function mark(element, state) {
  element.dataset.tone = state;
  for (const icon of element.querySelectorAll(":scope > [data-for], :scope > .row > [data-for]")) icon.hidden = icon.dataset.for !== state;
}

// What the server says of a file: its own checks, or the problems of a problem+json.
function checksOf(answer, ok) {
  if (Array.isArray(answer.checks)) return answer.checks;
  const problems = (answer.errors ?? []).map(({ field, reason }) => ({ label: field, ok: false, detail: reason }));
  if (problems.length) return problems;
  return ok ? [] : [{ label: answer.detail ?? answer.title ?? "The file was refused.", ok: false }];
}

function finish(form, item, request) {
  const ok = request.status >= 200 && request.status < 300;
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    if (!ok) answer = { detail: request.status ? `The server answered ${request.status}.` : "The server cannot be reached; nothing was kept." };
  }
  item.querySelector("progress").value = 1;
  item.querySelector("[data-words]").textContent = ok ? "Accepted" : "Refused";
  mark(item, ok ? "ok" : "error");
  for (const check of checksOf(answer, ok)) {
    const line = copy(form, "check");
    line.querySelector("[data-label]").textContent = check.label;
    line.querySelector("[data-detail]").textContent = check.detail ?? "";
    mark(line, check.ok ? "ok" : "error");
    item.querySelector("[data-checks]").append(line);
  }
  form.dispatchEvent(new CustomEvent("upload:done", { bubbles: true, detail: { ok, answer } }));
}

function send(form, file) {
  const item = copy(form, "item");
  item.querySelector("[data-name]").textContent = file.name;
  item.querySelector("[data-size]").textContent = size(file.size);
  form.querySelector("[data-upload-list]").append(item);
  const body = new FormData();
  body.append(form.querySelector("[data-upload-input]").name, file);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  for (const [name, value] of Object.entries(pageHeaders(form))) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    item.querySelector("progress").value = event.loaded / event.total;
    item.querySelector("[data-words]").textContent = event.loaded < event.total ? `${Math.round((100 * event.loaded) / event.total)}\u202f%` : "Checking…";
  });
  request.addEventListener("loadend", () => finish(form, item, request));
  request.send(body);
}

function mountUpload(form) {
  const zone = form.querySelector("[data-upload-zone]");
  const input = form.querySelector("[data-upload-input]");
  form.querySelector("[data-upload-plain]").hidden = true; // files go as soon as they are chosen
  const take = (files) => {
    for (const file of input.multiple ? files : [...files].slice(0, 1)) send(form, file);
  };
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  for (const type of ["dragenter", "dragover"]) {
    zone.addEventListener(type, (event) => {
      event.preventDefault();
      zone.dataset.over = "";
    });
  }
  for (const type of ["dragleave", "drop"]) zone.addEventListener(type, () => delete zone.dataset.over);
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
}

export function mountUploads(root) {
  for (const form of within(root, "form[data-upload]:not([data-mounted])")) {
    form.dataset.mounted = "";
    mountUpload(form);
  }
}
