// A file that goes up in pieces (tus 1.0): it may be paused, and goes on by itself when the connection is back.
// Chosen again after the page was left, it goes on from where it was.
import { pageHeaders } from "../console/js/dom.js";

export const PIECE = 8 * 2 ** 20;
const URL_OF_UPLOADS = "/api/v1/files/uploads";
const WAITS_S = [1, 2, 4, 8, 15];

export class Refused extends Error {}
export class Stopped extends Error {}

function encoded(text) {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}

// What a refusal says; null for what may be tried again.
function refusalOf(request) {
  const { status } = request;
  if (!status || status === 429 || status >= 502 || request.getResponseHeader("Retry-After")) return null;
  try {
    const { detail, errors } = JSON.parse(request.responseText);
    return status === 409 && errors?.[0]?.field === "Upload-Offset" ? null : detail;
  } catch {
    return status === 409 || status === 404 ? null : `The server answered ${status}.`;
  }
}

export class Sending {
  // told: (bytes, state) with the state "sending", "waiting" or "paused"
  constructor(file, purpose, told) {
    this.file = file;
    this.purpose = purpose;
    this.told = told;
    this.sent = 0;
    this.paused = false;
    this.stopped = false;
    this.key = ["upload", purpose, file.name, file.size, file.lastModified].join(" ");
  }

  // Sends all of it and gives the id of the stored file. Throws Refused or Stopped.
  async run() {
    let tries = 0;
    while (!this.result) {
      try {
        await this.#going();
        if (tries || !this.at) await this.#place();
        if (!this.result) await this.#piece();
        tries = 0;
      } catch (error) {
        if (this.stopped) throw new Stopped();
        if (error instanceof Refused) throw this.#forget(error);
        if (this.paused) tries = 1;
        else await this.#wait(WAITS_S[Math.min(tries++, WAITS_S.length - 1)]);
      }
    }
    this.#forget();
    return this.result;
  }

  pause() {
    this.paused = true;
    this.told(this.sent, "paused");
    this.request?.abort();
  }

  resume() {
    this.paused = false;
    this.told(this.sent, "sending");
    this.wake?.();
  }

  stop() {
    this.stopped = true;
    this.request?.abort();
    this.wake?.();
    if (this.at && !this.result) this.#ask("DELETE", this.at).catch(() => {});
    this.#forget();
  }

  async #going() {
    while (this.paused && !this.stopped) await new Promise((resolve) => (this.wake = resolve));
    if (this.stopped) throw new Stopped();
  }

  #wait(seconds) {
    this.told(this.sent, "waiting");
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, seconds * 1000);
    });
  }

  // Where to go on: at a known address, or at a new one.
  async #place() {
    this.at ??= localStorage.getItem(this.key);
    if (this.at) {
      const request = await this.#ask("HEAD", this.at);
      if (request.status === 200) return this.#read(request);
      if (request.status !== 404 && request.status !== 410) this.#refuse(request);
    }
    const told = { purpose: this.purpose, filename: this.file.name, filetype: this.file.type };
    const metadata = Object.entries(told).map(([name, value]) => `${name} ${encoded(value)}`);
    const headers = { "Upload-Length": this.file.size, "Upload-Metadata": metadata.join(",") };
    const request = await this.#ask("POST", URL_OF_UPLOADS, headers);
    if (request.status !== 201) this.#refuse(request);
    this.at = request.getResponseHeader("Location");
    localStorage.setItem(this.key, this.at);
    this.sent = 0;
  }

  async #piece() {
    const headers = { "Upload-Offset": this.sent, "Content-Type": "application/offset+octet-stream" };
    const body = this.file.slice(this.sent, this.sent + PIECE);
    const request = await this.#ask("PATCH", this.at, headers, body);
    if (request.status !== 204) this.#refuse(request);
    this.#read(request);
  }

  #read(request) {
    this.sent = Number(request.getResponseHeader("Upload-Offset"));
    this.result = request.getResponseHeader("X-Rootstock-File");
    this.told(this.sent, this.paused ? "paused" : "sending");
  }

  #refuse(request) {
    const why = refusalOf(request);
    throw why === null ? new Error("again") : new Refused(why);
  }

  #forget(error) {
    localStorage.removeItem(this.key);
    return error;
  }

  #ask(method, url, headers = {}, body = null) {
    const request = (this.request = new XMLHttpRequest());
    request.upload.addEventListener("progress", ({ loaded }) => {
      if (!this.paused) this.told(this.sent + (body ? loaded : 0), "sending");
    });
    return new Promise((resolve, reject) => {
      request.addEventListener("load", () => resolve(request));
      for (const name of ["error", "abort", "timeout"]) request.addEventListener(name, () => reject(new Error(name)));
      request.open(method, url);
      const all = { ...pageHeaders(), "Tus-Resumable": "1.0.0", ...headers };
      for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
      request.send(body);
    });
  }
}
