// A job's page: one stream tells of changes, and the live part is then fetched anew, at most once a second.
// When the stream cannot be had, the page asks every three seconds instead, and says so.
import { follow } from "../console/js/stream.js";

const GAP_MS = 1000;
const POLL_MS = 3000;
const FINAL = "done";

function start(part) {
  const note = () => part.querySelector("[data-live-note]");
  let due = 0;
  let timer = 0;

  const say = (text, stale) => {
    const element = note();
    if (!element) return;
    element.textContent = text;
    element.toggleAttribute("data-stale", stale);
  };
  const refresh = () => {
    timer = 0;
    due = Date.now() + GAP_MS;
    window.htmx.trigger(part, "job-changed");
  };
  const soon = () => {
    if (!timer) timer = setTimeout(refresh, Math.max(0, due - Date.now()));
  };

  const leaving = new AbortController();
  addEventListener("pagehide", () => leaving.abort(), { once: true });
  follow(part.dataset.stream, {
    signal: leaving.signal,
    onEvent: (event) => {
      soon();
      return event.type === FINAL;
    },
    onState: (state) => say(state === "open" ? "Live" : "Reconnecting…", state !== "open"),
  }).catch(() => {
    if (leaving.signal.aborted) return;
    const poll = setInterval(() => {
      if (part.querySelector("[data-final]")) clearInterval(poll);
      else refresh();
    }, POLL_MS);
  });
}

const part = document.querySelector("[data-stream]");
if (part) start(part);
