// Server-sent events over fetch: unlike EventSource it sends Last-Event-ID after any kind of loss, can be stopped, and
// can read a problem+json answer.
const WAITS_MS = [250, 500, 1000, 2000, 4000, 8000];

export class StreamProblem extends Error {
  constructor(problem, status) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.code = problem.code ?? "";
    this.requestId = problem.request_id ?? "";
  }
}

export async function problemOf(response) {
  const json = (response.headers.get("Content-Type") ?? "").includes("json");
  const problem = json ? await response.json().catch(() => ({})) : {};
  problem.request_id ??= response.headers.get("X-Request-ID") ?? "";
  return new StreamProblem(problem, response.status);
}

export async function* parse(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer = (buffer + value).replaceAll("\r\n", "\n");
      let end;
      while ((end = buffer.indexOf("\n\n")) >= 0) {
        const event = block(buffer.slice(0, end));
        buffer = buffer.slice(end + 2);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function block(text) {
  const event = { id: "", type: "message", data: [] };
  for (const line of text.split("\n")) {
    if (line.startsWith(":")) continue;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") event.data.push(value);
    else if (name === "id") event.id = value;
    else if (name === "event") event.type = value;
  }
  if (!event.data.length) return null;
  const joined = event.data.join("\n");
  try {
    return { ...event, data: JSON.parse(joined) };
  } catch {
    return { ...event, data: { text: joined } };
  }
}

// Calls onEvent for each event until it returns true (the end). onState hears "open", "reconnecting".
export async function follow(url, { onEvent, onState, signal }) {
  let last = "";
  let failures = 0;
  for (;;) {
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const response = await fetch(url, { headers, signal, cache: "no-store" });
      if (!response.ok && response.status < 500) throw await problemOf(response);
      if (!response.ok) throw new TypeError(`The server answered ${response.status}.`);
      if (response.status === 204) return; // all of it had been read before
      onState("open");
      for await (const event of parse(response.body)) {
        failures = 0;
        if (event.id) last = event.id;
        if (onEvent(event)) return;
      }
    } catch (error) {
      if (signal.aborted || error instanceof StreamProblem) throw error;
    }
    if (failures >= WAITS_MS.length) throw new StreamProblem({ detail: "The connection was lost and did not come back." }, 0);
    onState("reconnecting");
    await new Promise((resolve) => setTimeout(resolve, WAITS_MS[failures]));
    failures += 1;
    if (signal.aborted) throw new DOMException("Stopped", "AbortError");
  }
}
