// The dot in the top bar. Words change only when the state does, so that screen readers are not told twice.
const WORDS = { ok: "All workers up", warn: "Degraded", error: "No worker", unknown: "Offline" };
const EVERY_MS = 10_000;

async function look(link) {
  let state = { tone: "error", text: WORDS.unknown };
  try {
    const answer = await fetch(link.dataset.health, { headers: { Accept: "application/json" } });
    if (answer.ok) state = await answer.json();
  } catch {
    // No answer at all is itself what the dot has to say.
  }
  const label = link.querySelector("[data-health-text]");
  const text = state.text ?? WORDS[state.tone];
  if (link.dataset.tone !== state.tone) link.dataset.tone = state.tone;
  if (label.textContent !== text) label.textContent = text;
  link.title = text;
  link.setAttribute("aria-label", `Health: ${text}`);
}

export function startHealth() {
  const link = document.querySelector("[data-health]");
  if (!link) return;
  look(link);
  setInterval(() => document.hidden || look(link), EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || look(link));
}
