// What drop zones share: a row for each file with its progress, and the zone that files are dropped on.
export function sized(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

export const IN_WORDS = { sending: "Uploading", waiting: "Reconnecting", paused: "Paused" };

function copied(section, name) {
  return section.querySelector(`[data-upload-${name}]`).content.firstElementChild.cloneNode(true);
}

export class Row {
  constructor(section, file) {
    this.section = section;
    this.file = file;
    this.row = section.querySelector("[data-upload-list]").appendChild(copied(section, "row"));
    this.find("[data-name]").textContent = file.name;
    this.tell(sized(file.size), "Waiting");
  }

  find(selector) {
    return this.row.querySelector(selector);
  }

  tell(told, state) {
    if (told) this.find("[data-told]").textContent = told;
    const shown = this.find("[data-state]");
    if (shown.textContent !== state) shown.textContent = state;
  }

  progress(sent, state) {
    this.find("progress").value = sent / Math.max(this.file.size, 1);
    this.tell(`${sized(sent)} of ${sized(this.file.size)}`, sent < this.file.size ? state : "Being checked");
  }

  // Buttons to pause and go on, for what is sent in pieces.
  pausable(sending) {
    const [pause, resume] = [this.find("[data-pause]"), this.find("[data-resume]")];
    const swap = (paused) => {
      [pause.hidden, resume.hidden] = [paused, !paused];
      (paused ? resume : pause).focus();
    };
    pause.hidden = false;
    pause.addEventListener("click", () => (sending.pause(), swap(true)));
    resume.addEventListener("click", () => (sending.resume(), swap(false)));
  }

  // All of it is there: nothing to pause or to stop any more.
  arrived() {
    for (const name of ["[data-stop]", "[data-pause]", "[data-resume]"]) this.find(name).hidden = true;
  }

  ended(state, problem = "") {
    this.tell("", state);
    this.arrived();
    this.find("progress").hidden = true;
    if (problem) this.check({ passed: false, name: "", text: problem });
  }

  check({ passed, name, text }) {
    const shown = copied(this.section, passed ? "passed" : passed === null ? "skipped" : "failed");
    shown.querySelector("span").textContent = name ? `${name}: ${text}` : text;
    this.find("[data-checks]").append(shown);
  }
}

// Files dropped on the zone; of folders what lies directly in them.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) {
    const inside = entry.isDirectory
      ? await new Promise((resolve, reject) => entry.createReader().readEntries(resolve, reject))
      : [entry];
    for (const one of inside.filter((each) => each.isFile)) {
      found.push(await new Promise((resolve, reject) => one.file(resolve, reject)));
    }
  }
  return found;
}

// Turns the plain field into a zone that files are dropped on or chosen for.
export function zoned(section, take) {
  const zone = section.querySelector("[data-upload-zone]");
  const input = zone.querySelector("input[type=file]");
  section.querySelector("[data-upload-drop]").hidden = false;
  section.querySelector("[data-upload-choose]").classList.add("btn");
  input.classList.add("upload-zone-input");
  const chosen = () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) take(files);
  };
  input.addEventListener("change", chosen);
  chosen(); // what was chosen before this module had come
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.toggleAttribute("data-over", true);
    });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.removeAttribute("data-over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    take(await dropped(event.dataTransfer));
  });
}
