// An adapter's files go up in pieces, one after the other; then their check begins and its page opens.
// Without this module the form posts them as they are.
import { pageHeaders } from "../console/js/dom.js";
import { Sending, Stopped } from "../files/pieces.js";
import { IN_WORDS, Row, sized, zoned } from "../files/rows.js";

const PURPOSE = "adapter";
const ARCHIVE = /\.zip$/i;
const PARTS = new Set(["adapter_model.safetensors", "adapter_config.json", "head.safetensors", "card.json"]);

const AGAIN = "What was sent is there: press Upload and check again.";

function named(file) {
  const plain = file.name.replace(ARCHIVE, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
}

class Page {
  constructor(section) {
    this.section = section;
    this.form = section.querySelector("form");
    this.name = this.form.querySelector("[name=name]");
    this.list = section.querySelector("[data-upload-list]");
    this.button = this.form.querySelector("[type=submit]");
    this.rows = [];
  }

  start() {
    zoned(this.section, (files) => this.take(files));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  // A zip stands alone; a file takes the place of one of the same name.
  take(files) {
    if (this.busy) return;
    const archive = files.find((file) => ARCHIVE.test(file.name));
    const kept = archive ? [archive] : files.filter((file) => PARTS.has(file.name));
    for (const file of kept) this.add(file, Boolean(archive));
    if (archive && !this.name.value) this.name.value = named(archive);
    const left = files.filter((file) => !kept.includes(file)).map((file) => file.name);
    const why = left.length ? `Left out, as no part of an adapter: ${left.join(", ")}.` : "";
    this.section.querySelector("[data-upload-left]").textContent = kept.length ? why : "";
    if (why && !kept.length) this.refused(why);
    else this.told("");
  }

  add(file, alone) {
    for (const row of [...this.rows]) {
      if (alone || row.file.name === file.name || ARCHIVE.test(row.file.name)) this.drop(row);
    }
    const row = new Row(this.section, file);
    row.find("progress").hidden = true;
    const remove = row.find("[data-stop]");
    remove.lastChild.textContent = " Remove";
    remove.addEventListener("click", () => this.drop(row));
    row.tell("", "Ready");
    this.rows.push(row);
    this.list.hidden = false;
  }

  drop(row) {
    row.sending?.stop();
    row.row.remove();
    this.rows = this.rows.filter((each) => each !== row);
    this.list.hidden = !this.rows.length;
  }

  problem() {
    const most = Number(this.section.dataset.most);
    const large = this.rows.find((row) => row.file.size > most);
    if (!this.rows.length) return "Choose a zip or the files of an adapter first.";
    if (!/^[a-z0-9][a-z0-9-]{1,62}$/.test(this.name.value)) {
      return "The name must be of small letters, digits and hyphens, 2 to 63 of them.";
    }
    return large ? `${large.file.name} is larger than ${sized(most)}.` : "";
  }

  async send() {
    const why = this.problem();
    if (why || this.busy) return why && this.refused(why);
    this.waits(true);
    try {
      // A file that was here already may have gone with the upload that brought it: then it is sent again.
      const id = (await this.begun()) ?? (await this.begun(true));
      location.assign(`${this.section.dataset.page}${id}/`);
    } catch (error) {
      this.waits(false);
      this.refused(error instanceof Stopped ? "Stopped. Nothing is being checked." : error.message);
    }
  }

  sent(row) {
    if (row.id) return row.id;
    row.find("progress").hidden = false;
    row.sending = new Sending(row.file, PURPOSE, (sent, state) => row.progress(sent, IN_WORDS[state]));
    row.pausable(row.sending);
    return row.sending.run().then((id) => {
      row.ended("Here");
      return (row.id = id);
    });
  }

  async begun(last = false) {
    const ids = [];
    for (const row of [...this.rows]) ids.push(await this.sent(row));
    const names = this.rows.map((row) => row.file.name);
    const answer = await this.asked({ name: this.name.value, file_ids: ids, names });
    const found = await answer.json().catch(() => ({}));
    if (answer.ok && found.id) return found.id;
    if (!found.detail) throw new Error(`The server could not begin the check (${answer.status}). ${AGAIN}`);
    for (const row of this.rows) row.id = undefined;
    if (answer.status !== 404 || last) throw new Error(found.detail);
    return undefined;
  }

  asked(body) {
    const headers = { ...pageHeaders(), "Content-Type": "application/json" };
    return fetch(this.section.dataset.start, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => {
      throw new Error(`The server could not be reached. ${AGAIN}`);
    });
  }

  waits(busy) {
    this.busy = busy;
    this.button.disabled = this.name.readOnly = busy;
  }

  told(why) {
    const shown = this.section.querySelector("[data-upload-problem]");
    shown.hidden = !why;
    shown.querySelector("[data-upload-why]").textContent = why || "–";
    return shown;
  }

  refused(why) {
    this.told(why).focus();
  }
}

for (const section of document.querySelectorAll("[data-adapter-upload]")) new Page(section).start();
