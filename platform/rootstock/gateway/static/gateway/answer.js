// One answer of the playground: its tokens by probability, its text, its table, its timings.
import { number } from "../console/js/times.js";
import { Cutter, percent, step, visible } from "./tokens.js";

const ENDINGS = { stop: "its end", length: "the limit of tokens", cancelled: "Stop", failed: "a failure" };
const FAILURES = { context_length_exceeded: "The prompt is too long", invalid_input: "This cannot be asked" };
const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export class Answer {
  constructor(root) {
    this.root = root;
    this.view = "tokens";
    this.state = "empty";
    this.pieces = [];
    this.list = this.find("[data-tokens]");
    for (const button of root.querySelectorAll("[data-view]")) button.addEventListener("click", () => this.show(button.dataset.view));
    for (const kind of ["focusin", "pointerover"]) this.list.addEventListener(kind, (event) => this.point(event.target.closest(".token")));
    this.list.addEventListener("click", (event) => event.target.closest(".token")?.focus());
    this.list.addEventListener("keydown", (event) => this.move(event));
    this.hint = this.find("[data-alternatives]").firstElementChild;
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  get busy() {
    return ["waiting", "writing"].includes(this.state);
  }

  // empty, waiting, writing, done, failed.
  enter(state) {
    this.state = state;
    this.root.dataset.state = state;
    this.root.setAttribute("aria-busy", String(this.busy));
    const begun = this.pieces.length > 0;
    this.find("[data-empty]").hidden = state !== "empty";
    this.find("[data-waiting]").hidden = state !== "waiting" || begun;
    this.find("[data-foot]").hidden = !begun && state !== "done";
    this.find("[data-views]").hidden = !begun;
    this.show(this.view);
  }

  show(view) {
    this.view = view;
    for (const button of this.root.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    for (const pane of this.root.querySelectorAll("[data-pane]")) pane.hidden = pane.dataset.pane !== view || !this.pieces.length;
  }

  // A new answer of this model begins.
  begin(model) {
    this.asked = performance.now();
    this.first = 0;
    this.pieces = [];
    this.cutter = new Cutter();
    this.list.replaceChildren();
    this.list.hidden = true;
    this.find("[data-rows]").replaceChildren();
    this.find("[data-text]").textContent = "";
    this.find("[data-error]").hidden = true;
    this.find("[data-error]").replaceChildren();
    this.find("[data-alternatives]").replaceChildren(this.hint);
    this.find("[data-model]").textContent = model;
    for (const figure of this.root.querySelectorAll("[data-figure]")) figure.textContent = "–";
    this.enter("waiting");
  }

  started({ model, fingerprint = "" }) {
    if (model) this.find("[data-model]").textContent = model;
    this.find("[data-fingerprint]").textContent = fingerprint.slice(0, 12);
  }

  token(data) {
    const pieces = this.cutter.cut(data);
    if (!pieces.length) return;
    const begins = !this.pieces.length;
    this.first ||= performance.now();
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    for (const piece of pieces) this.add(piece);
    this.list.hidden = false;
    if (begins) this.enter("writing");
    if (atEnd) this.list.scrollTop = this.list.scrollHeight; // unless the reader has scrolled away
    this.figure("first", `${number(this.first - this.asked, 0)} ms`);
    this.figure("written", number(this.pieces.length));
    const spoken = (performance.now() - this.first) / 1000;
    if (spoken > 0.2) this.figure("rate", `${number((this.pieces.length - 1) / spoken, 1)} tokens/s`);
  }

  add(piece) {
    const at = this.pieces.push(piece) - 1;
    this.list.append(this.tokenOf(piece, at));
    this.find("[data-rows]").append(rowOf(piece, at));
    this.find("[data-text]").append(piece.text);
  }

  // One stop of the tab key for all tokens; the arrow keys move within.
  tokenOf(piece, at) {
    const token = element("span", piece.text, { className: "token", tabIndex: at ? -1 : 0 });
    token.setAttribute("role", "option");
    token.setAttribute("aria-selected", "false");
    token.setAttribute("aria-label", `${visible(piece.text)}, ${percent(piece.probability)}`);
    token.dataset.likely = step(piece.probability);
    token.dataset.at = at;
    return token;
  }

  point(token) {
    if (!token || token === this.pointed) return;
    const previous = this.list.querySelector('[aria-selected="true"]');
    if (previous) {
      previous.setAttribute("aria-selected", "false");
      previous.tabIndex = -1;
    }
    for (const stop of this.list.querySelectorAll('[tabindex="0"]')) stop.tabIndex = -1;
    this.pointed = token;
    token.setAttribute("aria-selected", "true");
    token.tabIndex = 0;
    this.find("[data-alternatives]").replaceChildren(...alternativesOf(this.pieces[Number(token.dataset.at)]));
  }

  move(event) {
    const all = [...this.list.children];
    const at = all.indexOf(document.activeElement);
    const wanted = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : event.key in MOVES ? at + MOVES[event.key] : -1;
    if (at < 0 || !all[wanted]) return;
    event.preventDefault();
    all[wanted].focus();
  }

  done({ usage = {}, finish = [], timings = {} }) {
    const spoken = (timings.total_ms - timings.first_token_ms) / 1000;
    if (timings.queued_ms != null) this.figure("queued", `${number(timings.queued_ms, 0)} ms`);
    if (timings.first_token_ms != null) this.figure("first", `${number(timings.first_token_ms, 0)} ms`);
    if (spoken > 0 && usage.completion > 1) this.figure("rate", `${number((usage.completion - 1) / spoken, 1)} tokens/s`);
    this.figure("written", `${number(usage.completion ?? this.pieces.length)} tokens`);
    if (usage.prompt != null) this.figure("prompt", `${number(usage.prompt)} tokens${usage.cached ? `, ${number(usage.cached)} cached` : ""}`);
    this.figure("finish", ENDINGS[finish[0]] ?? finish[0] ?? "–");
    this.enter("done");
    if (!this.pieces.length) this.tell("The model had nothing to say", "Its first token was the end of the text.");
  }

  fail(error) {
    this.enter("failed");
    this.tell(FAILURES[error.code] ?? "The answer broke off", error.message, error.requestId);
  }

  tell(title, text, requestId = "") {
    const place = this.find("[data-error]");
    place.replaceChildren(element("h3", title), element("p", text));
    if (requestId) place.append(element("p", `Request ${requestId}`, { className: "error-state-code" }));
    place.hidden = false;
  }

  figure(name, text) {
    this.find(`[data-figure="${name}"]`).textContent = text;
  }
}

function element(name, text, properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...properties });
}

function rowOf(piece, at) {
  const row = document.createElement("tr");
  const likeliest = piece.top.map((one) => `${visible(one.text)} ${percent(one.probability)}`).join(" · ");
  const token = document.createElement("td");
  token.append(element("code", visible(piece.text)));
  row.append(element("td", at + 1, { className: "num" }), token, element("td", percent(piece.probability), { className: "num" }), element("td", likeliest || "–", { className: "wide" }));
  return row;
}

function alternativesOf(piece) {
  const chosen = visible(piece.text);
  const title = element("p", "", {});
  title.append("Written: ", element("code", chosen), ` ${percent(piece.probability)}`);
  if (!piece.top.length) return [title, element("p", "What else was likely is not told of this one.", { className: "meta" })];
  const list = document.createElement("ol");
  list.append(...piece.top.map((one) => lineOf(one, visible(one.text) === chosen)));
  return [title, list];
}

function lineOf({ text, probability }, chosen) {
  const line = document.createElement("li");
  if (chosen) line.dataset.chosen = "";
  line.append(element("code", visible(text)), meter(probability), element("span", percent(probability), { className: "num" }));
  return line;
}

// An SVG as the server draws it: the page's policy allows no inline style for a width.
function meter(share) {
  const svg = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const bar = svg("svg", { class: "meter", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(svg("rect", { width: (share * 100).toFixed(1), height: 8 }));
  return bar;
}
