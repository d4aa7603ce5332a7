// One note: its place, and its six controls.
import { clock, el, fill, pitchName, slider } from "./dom.js";
import { ask } from "./state.js";

export const CONTROLS = {
  volume: ["Volume", "soft to loud"], volume_fluctuation: ["Fluctuation", "even to wavering"], volume_peak_position: ["Peak", "early to late"],
  vibrato: ["Vibrato", "none to wide"], brightness: ["Brightness", "dull to bright"], attack_noise: ["Attack noise", "soft to noisy"],
};

export class NotePanel {
  constructor(acts) {
    this.acts = acts;
    this.element = el("section", { class: "sheet note-panel", "aria-live": "off" });
    this.show(null);
  }

  show(note) {
    if (!note) {
      this.shown = null;
      fill(this.element, el("h2", {}, "Note"), el("p", { class: "quiet" }, "Choose a note in the roll: click it, or press the arrow keys there."),
        el("dl", { class: "keys-help" }, ...[["← →", "choose"], ["↑ ↓", "pitch"], ["Shift ← →", "time"], ["Alt ← →", "end"], ["N, Delete", "add, remove"], ["Enter", "hear it"], ["Space", "play"]].flatMap(([key, what]) => [el("dt", {}, key), el("dd", {}, what)])));
      return;
    }
    const number = (label, name, value, step, min, max) => el("label", {}, label, el("input", {
      type: "number", step: String(step), min: String(min), max: String(max), value: String(value),
      onchange: (event) => { if (event.target.checkValidity()) this.acts.change(note, { [name]: Number(event.target.value) }); } }));
    const sliders = Object.entries(CONTROLS).map(([name, [label, hint]]) => slider({
      label, hint, min: 0, max: 1, step: 0.01, value: 0.5, show: (v) => v.toFixed(2), change: (value) => this.acts.controls(note, { [name]: value }) }));
    const holder = el("div", {}, sliders);
    const open = this.shown === note.id ? this.element : null;
    const focused = open?.contains(document.activeElement) ? [...this.element.querySelectorAll("input, button")].indexOf(document.activeElement) : -1;
    this.shown = note.id;
    fill(this.element, el("h2", {}, `${pitchName(note.pitch)} at ${clock(note.onset_s)}`),
      el("div", { class: "fields" }, number("Pitch", "pitch", note.pitch, 0.01, 0, 127), number("Velocity", "velocity", note.velocity, 1, 1, 127),
        number("Begins, s", "onset_s", note.onset_s, 0.001, 0, 100000), number("Ends, s", "offset_s", note.offset_s, 0.001, 0, 100000)),
      el("h3", {}, "How it is played"), holder,
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => this.acts.play(note) }, "Hear it"), el("button", { type: "button", onclick: () => this.acts.remove(note) }, "Remove")));
    if (focused >= 0) this.element.querySelectorAll("input, button")[focused]?.focus();
    clearTimeout(this.asking); // who runs along the notes asks for the last
    this.asking = setTimeout(async () => {
      try {
        const values = await ask("/controls", { note: note.id });
        if (this.shown === note.id) Object.keys(CONTROLS).forEach((name, i) => sliders[i].set(values[name] ?? 0.5));
      } catch { /* the note has just gone */ }
    }, 60);
  }
}
