// The drop zone: each file goes up by itself with its progress, then what each check said is shown beside it.
// A large one goes in pieces, and may be paused. Without this module the form posts one file and opens its page.
import { pageHeaders } from "../console/js/dom.js";
import { PIECE, Sending, Stopped } from "./pieces.js";
import { IN_WORDS, Row, sized, zoned } from "./rows.js";

const STATES = { clean: "Clean", refused: "Refused", quarantined: "Being checked", uploading: "Uploading" };
const AT_ONCE = 2;

function reasonOf(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return request.status ? `The server answered ${request.status}.` : "The connection broke. Nothing was stored.";
  }
}

class Upload extends Row {
  constructor(zone, file) {
    super(zone.section, file);
    this.zone = zone;
    this.find("[data-stop]").addEventListener("click", () => this.stop());
  }

  stop() {
    this.stopped = true;
    this.request?.abort();
    this.sending?.stop();
    this.ended("Stopped", "Stopped. Nothing was stored.");
  }

  send({ purpose, subject_id: subject }) {
    if (this.stopped) return undefined;
    const max = Number(purpose.selectedOptions[0].dataset.max);
    if (this.file.size > max) return this.ended("Not sent", `It is larger than ${sized(max)}.`);
    const person = subject.value.trim();
    return this.file.size > PIECE && !person ? this.inPieces(purpose.value) : this.whole(purpose.value, person);
  }

  async inPieces(purpose) {
    this.sending = new Sending(this.file, purpose, (sent, state) => this.progress(sent, IN_WORDS[state]));
    this.pausable(this.sending);
    try {
      const id = await this.sending.run();
      this.stored(await (await fetch(`${this.zone.url}/${id}`, { headers: pageHeaders() })).json(), false);
    } catch (error) {
      if (!(error instanceof Stopped)) this.ended("Not taken", error.message);
    }
  }

  whole(purpose, person) {
    const body = new FormData();
    body.append("purpose", purpose);
    if (person) body.append("subject_id", person);
    body.append("file", this.file);
    const request = (this.request = new XMLHttpRequest());
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      this.progress((loaded / total) * this.file.size, "Uploading");
    });
    return new Promise((resolve) => {
      request.addEventListener("loadend", () => {
        if (!this.stopped) this.answered(request);
        resolve();
      });
      request.open("POST", this.zone.url);
      for (const [name, value] of Object.entries(pageHeaders())) request.setRequestHeader(name, value);
      request.send(body);
    });
  }

  answered(request) {
    if (request.status !== 200 && request.status !== 201) return this.ended("Not taken", reasonOf(request));
    return this.stored(JSON.parse(request.responseText), request.status === 200);
  }

  stored(found, known) {
    const open = this.find("[data-open]");
    open.href = `${this.zone.page}${found.id}/`;
    open.hidden = false;
    this.arrived();
    this.tell(sized(found.bytes), "");
    this.follow(found, known);
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
    this.waiting = [];
    this.running = 0;
  }

  start() {
    this.form.querySelector("[type=submit]").hidden = true;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    zoned(this.section, (files) => this.take(files));
  }

  take(files) {
    this.list.hidden = this.list.hidden && !files.length;
    this.waiting.push(...files.map((file) => new Upload(this, file)));
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      Promise.resolve(this.waiting.shift().send(this.form.elements)).finally(() => {
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
