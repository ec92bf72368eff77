// The playground: the form is posted once and says where each answer streams from; both are followed until they end.
import { pageHeaders } from "../console/js/dom.js";
import { follow, problemOf, StreamProblem } from "../console/js/stream.js";
import { Answer } from "./answer.js";

class Playground {
  constructor(form) {
    this.form = form;
    this.answers = new Map([...document.querySelectorAll("[data-answer]")].map((root) => [root.dataset.answer, new Answer(root)]));
    this.ask = form.querySelector("[data-ask]");
    this.stop = form.querySelector("[data-stop]");
    this.status = form.querySelector("[data-status]");
    this.problems = form.querySelector("[data-problems]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.ask.disabled) this.run();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    this.stop.addEventListener("click", () => this.halt());
    addEventListener("pagehide", () => this.leave());
  }

  async run() {
    this.clear();
    this.busy(true);
    this.say("Asking…");
    try {
      const response = await fetch(this.form.action, { method: "POST", body: new FormData(this.form), headers: pageHeaders(this.form) });
      if (!response.ok) throw await this.refusalOf(response);
      await this.followAll(await response.json());
    } catch (error) {
      this.refused(error instanceof StreamProblem ? error : { message: "The server cannot be reached. Nothing was asked." });
    } finally {
      this.busy(false);
    }
  }

  async refusalOf(response) {
    const copy = response.clone();
    const problem = await problemOf(response);
    problem.errors = (await copy.json().catch(() => ({}))).errors ?? [];
    return problem;
  }

  async followAll(opened) {
    this.opened = opened;
    this.leaving = new AbortController();
    for (const [side, answer] of this.answers) {
      answer.root.hidden = !(side in opened);
      if (side in opened) answer.begin(opened[side].model);
    }
    const first = this.answers.get("a").root;
    if (first.getBoundingClientRect().top > innerHeight - 120) first.scrollIntoView(); // on a phone it would be out of sight
    this.say("Writing…");
    if (this.stopped) this.halt();
    await Promise.all(Object.keys(opened).map((side) => this.follow(this.answers.get(side), opened[side].stream)));
    const failed = Object.keys(opened).filter((side) => this.answers.get(side).state === "failed").length;
    this.say(failed ? "Ended with a failure." : this.stopped ? "Stopped." : "Finished.");
  }

  async follow(answer, url) {
    try {
      await follow(url, {
        signal: this.leaving.signal,
        onState: (state) => state === "reconnecting" && this.say("Connection lost, reconnecting…"),
        onEvent: ({ type, data }) => this.event(answer, type, data),
      });
      if (answer.busy) answer.done({});
    } catch (error) {
      if (!this.leaving.signal.aborted) answer.fail(error);
    }
  }

  // True ends the stream.
  event(answer, type, data) {
    if (type === "start") answer.started(data);
    else if (type === "token") answer.token(data);
    else if (type === "done") answer.done(data);
    else if (type === "error") answer.fail({ message: data.detail ?? "The worker failed.", code: data.code, requestId: data.request_id });
    return type === "done" || type === "error";
  }

  // What was written stays; the streams end by themselves and tell the rest.
  halt() {
    this.stopped = true;
    this.say("Stopping…");
    for (const { stop } of Object.values(this.opened)) fetch(stop, { method: "POST", headers: pageHeaders(this.form), keepalive: true }).catch(() => {});
  }

  leave() {
    if (!this.ask.disabled) return;
    this.halt();
    this.leaving?.abort();
  }

  busy(on) {
    this.ask.disabled = on;
    this.stop.hidden = !on;
    if (on) {
      this.stopped = false;
      this.opened = {};
    } else if (document.activeElement === document.body) this.ask.focus();
  }

  say(text) {
    this.status.textContent = text;
  }

  clear() {
    this.problems.hidden = true;
    for (const mark of this.form.querySelectorAll(".field-error")) mark.remove();
    for (const field of this.form.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
  }

  // Each problem beside its field, and all of them in the summary, which gets the focus.
  refused({ message, errors = [], requestId = "" }) {
    this.say("");
    const list = document.createElement("ul");
    for (const { field, reason } of errors) list.append(this.mark(field, reason));
    const title = Object.assign(document.createElement("h2"), { textContent: errors.length ? "Please correct what is marked" : "That did not work" });
    const text = Object.assign(document.createElement("p"), { textContent: requestId ? `${message} (request ${requestId})` : message });
    this.problems.replaceChildren(title, errors.length ? list : text);
    this.problems.hidden = false;
    this.problems.focus();
  }

  mark(name, reason) {
    const line = document.createElement("li");
    const control = this.form.elements[name];
    if (!control) {
      line.textContent = `${name}: ${reason}`;
      return line;
    }
    const id = `${control.id}_error`;
    const note = Object.assign(document.createElement("p"), { className: "field-error", id, textContent: reason });
    control.closest(".field").append(note);
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", id);
    control.closest("details")?.setAttribute("open", "");
    const link = Object.assign(document.createElement("a"), { href: `#${control.id}`, textContent: control.labels[0].textContent });
    line.append(link, `: ${reason}`);
    return line;
  }
}

for (const form of document.querySelectorAll("[data-playground]")) new Playground(form);
