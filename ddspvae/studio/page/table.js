// The notes as a table: the same as in the roll, for who reads or types.
import { CONTROLS } from "./note.js";
import { el, fill, pitchName } from "./dom.js";
import { ask } from "./state.js";

const PAGE = 60;

export class NoteTable {
  constructor(acts, select) {
    this.acts = acts;
    this.select = select;
    this.first = 0;
    this.body = el("tbody");
    this.count = el("span", { class: "quiet small" });
    this.line = el("select", { "aria-label": "Voice", onchange: (event) => { this.number = Number(event.target.value); this.first = 0; this.load(); } });
    const head = ["Note", "Begins, s", "Ends, s", "Pitch", "Velocity", ...Object.values(CONTROLS).map(([label]) => label)];
    const page = (by) => el("button", { type: "button", class: "plain", onclick: () => { this.first = Math.max(0, Math.min(this.first + by * PAGE, Math.max(0, this.rows.length - 1))); this.draw(); } }, by < 0 ? "Earlier notes" : "Later notes");
    this.element = el("details", {}, el("summary", {}, "Notes as a table"),
      el("div", { class: "row spread" }, el("div", { class: "row" }, this.line, this.count), el("div", { class: "row" }, page(-1), page(1))),
      el("div", { class: "table-wrap", tabindex: "0", role: "region", "aria-label": "Notes" }, el("table", {}, el("thead", {}, el("tr", {}, head.map((label) => el("th", { scope: "col" }, label)))), this.body)));
    this.element.addEventListener("toggle", () => this.load());
    this.rows = [];
  }

  show(part, lines, line) {
    if (this.part !== part) this.first = 0;
    this.part = part;
    this.number = line;
    fill(this.line, Array.from({ length: lines }, (_, i) => el("option", { value: String(i), selected: i === line }, `Voice ${i + 1}`)));
    this.line.hidden = lines < 2;
    if (this.element.open) this.load();
  }

  async load() {
    if (!this.element.open) return;
    try { this.rows = await ask("/table", { part: this.part, line: this.number }); } catch { return; }
    if (this.first >= this.rows.length) this.first = 0;
    this.draw();
  }

  draw() {
    const shown = this.rows.slice(this.first, this.first + PAGE);
    this.count.textContent = `${this.rows.length ? this.first + 1 : 0} to ${this.first + shown.length} of ${this.rows.length} notes`;
    const focus = document.activeElement?.dataset?.cell;
    fill(this.body, shown.map((note) => {
      const cell = (name, label, step, min, max, act) => el("td", {}, el("input", {
        type: "number", step: String(step), min: String(min), max: String(max), value: String(Number(note[name].toFixed(3))), "data-cell": `${note.id} ${name}`,
        "aria-label": `${label} of ${pitchName(note.pitch)} at ${note.onset_s.toFixed(2)} s`,
        onchange: (event) => { if (event.target.checkValidity()) act(Number(event.target.value)); } }));
      const change = (name) => (value) => this.acts.change(note, { [name]: value });
      return el("tr", {}, el("th", { scope: "row" }, el("button", { type: "button", class: "plain", onclick: () => this.select(note.id) }, pitchName(note.pitch))),
        cell("onset_s", "Begin", "any", 0, 100000, change("onset_s")), cell("offset_s", "End", "any", 0, 100000, change("offset_s")),
        cell("pitch", "Pitch", "any", 0, 127, change("pitch")), cell("velocity", "Velocity", 1, 1, 127, change("velocity")),
        Object.entries(CONTROLS).map(([name, [label]]) => cell(name, label, "any", 0, 1, (value) => this.acts.controls(note, { [name]: value }))));
    }));
    if (focus) this.body.querySelector(`[data-cell="${CSS.escape(focus)}"]`)?.focus();
  }
}
