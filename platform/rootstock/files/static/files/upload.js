// The drop zone: each file goes up by itself with its progress, then what each check said is shown beside it.
// Without this module the form posts one file and opens its page.
const STATES = { clean: "Clean", refused: "Refused", quarantined: "Being checked", uploading: "Uploading" };
const AT_ONCE = 2;

function sized(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

function reasonOf(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return request.status ? `The server answered ${request.status}.` : "The connection broke. Nothing was stored.";
  }
}

class Upload {
  constructor(zone, file) {
    this.zone = zone;
    this.file = file;
    this.row = zone.list.appendChild(zone.copy("row"));
    this.find("[data-name]").textContent = file.name;
    this.tell(sized(file.size), "Waiting");
    this.find("[data-stop]").addEventListener("click", () => this.stop());
  }

  find(selector) {
    return this.row.querySelector(selector);
  }

  tell(told, state) {
    if (told) this.find("[data-told]").textContent = told;
    this.find("[data-state]").textContent = state;
  }

  stop() {
    this.stopped = true;
    this.request?.abort();
    this.ended("Stopped", "Stopped. Nothing was stored.");
  }

  ended(state, problem = "") {
    this.tell("", state);
    this.find("progress").hidden = true;
    this.find("[data-stop]").hidden = true;
    if (problem) this.check({ passed: false, name: "", text: problem });
  }

  check({ passed, name, text }) {
    const shown = this.zone.copy(passed ? "passed" : passed === null ? "skipped" : "failed");
    shown.querySelector("span").textContent = name ? `${name}: ${text}` : text;
    this.find("[data-checks]").append(shown);
  }

  send({ purpose, subject_id: subject }) {
    if (this.stopped) return Promise.resolve();
    const max = Number(purpose.selectedOptions[0].dataset.max);
    if (this.file.size > max) {
      this.ended("Not sent", `It is larger than ${sized(max)}.`);
      return Promise.resolve();
    }
    const body = new FormData();
    body.append("purpose", purpose.value);
    if (subject.value.trim()) body.append("subject_id", subject.value.trim());
    body.append("file", this.file);
    const request = (this.request = new XMLHttpRequest());
    const progress = this.find("progress");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      progress.value = loaded / total;
      this.tell(`${sized(loaded)} of ${sized(total)}`, loaded < total ? "Uploading" : "Being checked");
    });
    return new Promise((resolve) => {
      request.addEventListener("loadend", () => {
        if (!this.stopped) this.answered(request);
        resolve();
      });
      request.open("POST", this.zone.url);
      request.setRequestHeader("X-CSRFToken", this.zone.token);
      request.setRequestHeader("X-Organisation", document.body.dataset.organisation ?? "");
      request.setRequestHeader("Accept", "application/json");
      request.send(body);
    });
  }

  answered(request) {
    if (request.status !== 200 && request.status !== 201) return this.ended("Not taken", reasonOf(request));
    const found = JSON.parse(request.responseText);
    const open = this.find("[data-open]");
    open.href = `${this.zone.page}${found.id}/`;
    open.hidden = false;
    this.tell(sized(found.bytes), "");
    return this.follow(found, request.status === 200);
  }

  follow(found, known) {
    if (found.state === "quarantined") {
      this.tell("", STATES.quarantined);
      this.find("progress").removeAttribute("value");
      setTimeout(() => this.ask(found), 1500);
      return;
    }
    for (const check of found.checks) this.check(check);
    this.ended(known ? `${STATES[found.state]}, known already` : STATES[found.state]);
  }

  async ask(before) {
    try {
      const answer = await fetch(`${this.zone.url}/${before.id}`, { headers: { Accept: "application/json" } });
      this.follow(answer.ok ? await answer.json() : before, false);
      this.zone.changed();
    } catch {
      this.follow(before, false);
    }
  }
}

class Zone {
  constructor(section) {
    this.section = section;
    this.url = section.dataset.uploadUrl;
    this.page = section.dataset.uploadPage;
    this.list = section.querySelector("[data-upload-list]");
    this.form = section.querySelector("form");
    this.token = this.form.querySelector("[name=csrfmiddlewaretoken]").value;
    this.input = this.form.querySelector("input[type=file]");
    this.waiting = [];
    this.running = 0;
  }

  start() {
    const drop = this.section.querySelector("[data-upload-zone]");
    this.section.querySelector("[data-upload-drop]").hidden = false;
    this.section.querySelector("[data-upload-choose]").classList.add("btn");
    this.form.querySelector("[type=submit]").hidden = true;
    this.input.classList.add("visually-hidden");
    this.input.addEventListener("change", () => {
      this.take(this.input.files);
      this.input.value = "";
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.toggleAttribute("data-over", true);
      });
    }
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.removeAttribute("data-over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer.files);
    });
  }

  copy(name) {
    return this.section.querySelector(`[data-upload-${name}]`).content.firstElementChild.cloneNode(true);
  }

  take(files) {
    this.list.hidden = this.list.hidden && !files.length;
    this.waiting.push(...[...files].map((file) => new Upload(this, file)));
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      this.waiting.shift().send(this.form.elements).finally(() => {
        this.running -= 1;
        this.next();
        this.changed();
      });
    }
  }

  changed() {
    const part = document.querySelector("[data-table=files] [id$=-part]");
    if (part && !this.running && window.htmx) {
      window.htmx.ajax("GET", location.href, { target: `#${part.id}`, swap: "outerHTML" });
    }
  }
}

for (const section of document.querySelectorAll("[data-upload]")) new Zone(section).start();
