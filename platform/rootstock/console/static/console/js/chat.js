// A conversation. Markup and events are agreed on the style page:
// the form is posted and answers {"stream": url, "turn": id, "cancel": url to POST for Stop (optional)}; the stream sends
//   token {"text"}   emotion {"turn", "label", "score", "tone"}   done {"finish_reason", "model", "adapter"}   error {"detail", "code"}
// A `chat:done` event bubbles from the root after each answer, for parts of the page that change with it.
import { pageHeaders, within } from "./dom.js";
import { follow, problemOf, StreamProblem } from "./stream.js";

const ENDINGS = { length: "The answer reached its length limit.", cancelled: "Stopped." };

class Chat {
  constructor(root) {
    this.root = root;
    this.log = root.querySelector("[data-chat-log]");
    this.form = root.querySelector("[data-chat-form]");
    this.input = this.form.querySelector("textarea, input[name=text]");
    this.status = root.querySelector("[data-chat-status]");
    this.send = this.form.querySelector("[data-chat-send]");
    this.stop = this.form.querySelector("[data-chat-stop]");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.post();
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.form.requestSubmit();
      }
    });
    this.cancel = root.dataset.cancel ?? "";
    this.stop?.addEventListener("click", () => this.halt());
    this.log.scrollTop = this.log.scrollHeight;
    if (root.dataset.stream) this.answer(root.dataset.stream, this.add("assistant"));
  }

  add(from, text = "") {
    const template = this.root.querySelector(`template[data-chat-${from}]`);
    const bubble = template.content.firstElementChild.cloneNode(true);
    bubble.querySelector("[data-text]").textContent = text;
    this.log.append(bubble);
    this.log.querySelector("[data-chat-empty]")?.remove();
    this.follow(true);
    return bubble;
  }

  // Keeps the newest line in view unless the reader has scrolled away.
  follow(always = false) {
    const near = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 120;
    if (always || near) this.log.scrollTop = this.log.scrollHeight;
  }

  say(text, tone = "") {
    this.status.textContent = text;
    if (tone) this.status.dataset.tone = tone;
    else delete this.status.dataset.tone;
  }

  busy(on) {
    this.root.setAttribute("aria-busy", String(on));
    this.send.disabled = on;
    if (this.stop) this.stop.hidden = !on;
  }

  async post() {
    const text = this.input.value.trim();
    if (!text || this.send.disabled) return;
    const body = new FormData(this.form);
    this.posting = true;
    this.stopped = false;
    this.user = this.add("user", text);
    this.input.value = "";
    this.busy(true);
    this.say("Sending…");
    try {
      const response = await fetch(this.form.action, { method: "POST", body, headers: { Accept: "application/json" } });
      if (!response.ok) throw await problemOf(response);
      const { stream, turn, cancel } = await response.json();
      this.cancel = cancel ?? "";
      if (turn) this.user.dataset.turn = turn;
      this.posting = false;
      const answered = this.answer(stream, this.add("assistant"));
      if (this.stopped) this.halt();
      await answered;
    } catch (error) {
      this.posting = false;
      this.user.dataset.state = "failed";
      this.input.value = text;
      this.fail(this.user, error instanceof StreamProblem ? error : { message: "The server cannot be reached." }, "Not sent: ");
      this.busy(false);
    }
  }

  // With a cancel address the server stops and the stream tells how the answer was kept; without one, leaving is stopping.
  async halt() {
    this.stopped = true;
    this.say("Stopping…");
    if (this.posting) return; // there is no answer to stop yet; `post` comes back to it
    if (!this.cancel) return this.abort?.abort();
    const response = await fetch(this.cancel, { method: "POST", headers: pageHeaders(this.form) }).catch(() => null);
    if (!response?.ok) this.abort?.abort();
  }

  async answer(url, bubble) {
    this.abort = new AbortController();
    this.busy(true);
    bubble.dataset.state = "streaming";
    this.say("Writing…");
    try {
      await follow(url, {
        signal: this.abort.signal,
        onState: (state) => (state === "open" ? this.say(this.stopped ? "Stopping…" : "Writing…") : this.say("Connection lost, reconnecting…", "warn")),
        onEvent: (event) => this.event(event, bubble),
      });
    } catch (error) {
      if (this.abort.signal.aborted) this.finish(bubble, "Stopped", "stopped");
      else this.fail(bubble, error);
    } finally {
      if (bubble.dataset.state === "streaming") this.finish(bubble, "", "done"); // nothing was left to read
      this.busy(false);
      this.input.focus();
      this.root.dispatchEvent(new CustomEvent("chat:done", { bubbles: true }));
    }
  }

  event({ type, data }, bubble) {
    if (type === "token") {
      bubble.querySelector("[data-text]").append(data.text ?? "");
      this.follow();
    } else if (type === "emotion") this.emotion(data);
    else if (type === "done") this.finish(bubble, "", data.finish_reason ?? "done", data);
    else if (type === "error") this.fail(bubble, { message: data.detail ?? "The answer failed.", requestId: data.request_id });
    return type === "done" || type === "error";
  }

  emotion({ turn, label, score, tone }) {
    const target = turn ? this.log.querySelector(`[data-turn="${CSS.escape(String(turn))}"]`) : this.user;
    const template = this.root.querySelector("template[data-chat-emotion]");
    const slot = (target ?? this.user)?.querySelector("[data-meta]");
    if (!slot || !template || slot.querySelector(".emotion")) return;
    const chip = template.content.firstElementChild.cloneNode(true);
    chip.dataset.tone = tone ?? "neutral";
    for (const picture of chip.querySelectorAll("[data-for]")) picture.hidden = picture.dataset.for !== chip.dataset.tone;
    const share = score == null ? "" : ` ${Math.round(score * 100)}\u202f%`;
    chip.querySelector("[data-label]").textContent = label.charAt(0).toUpperCase() + label.slice(1) + share;
    slot.prepend(chip);
  }

  finish(bubble, text, state, data = {}) {
    bubble.dataset.state = state;
    if (data.text) bubble.querySelector("[data-text]").textContent = data.text; // the whole answer, as it was kept
    this.say(text || ENDINGS[state] || "");
    for (const name of ["model", "adapter"]) {
      const slot = bubble.querySelector(`[data-ai-${name}]`);
      if (slot && data[name]) slot.textContent = data[name].replace(/^([0-9a-f]{12})[0-9a-f]{52}$/, "$1");
    }
    const mark = bubble.querySelector("[data-ai]");
    if (mark) mark.hidden = false;
    this.follow();
  }

  fail(bubble, error, prefix = "") {
    bubble.dataset.state = "failed";
    const line = document.createElement("span");
    line.className = "bubble-error";
    line.textContent = prefix + error.message + (error.requestId ? ` (request ${error.requestId})` : "");
    bubble.querySelector("[data-meta]").append(line);
    this.say(prefix + error.message, "error");
  }
}

export function mountChats(root) {
  for (const chat of within(root, "[data-chat]:not([data-mounted])")) {
    chat.dataset.mounted = "";
    new Chat(chat);
  }
}
