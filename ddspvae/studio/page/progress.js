// How far a training is: curves, what the judges of hearing say, and how it sounds now, beside the recording.
import { get } from "./api.js";
import { chart } from "./charts.js";
import { el, fill } from "./dom.js";
import { Transport } from "./transport.js";
import { Viewport } from "./viewport.js";

export class Progress {
  // path(rest) is of the training that is shown, name() its name
  constructor(path, name) {
    this.path = path;
    this.charts = {
      loss: chart("Loss", "", 3), pitch_median_cents: chart("Pitch error", "cents", 1), bits_per_second: chart("Timbre", "bit/s", 0), left: chart("Time left", "min", 1),
      zimtohrli: chart("Judge of hearing: Zimtohrli", "of 5", 2), visqol: chart("Judge of hearing: ViSQOL", "of 4.7", 2),
    };
    this.judges = el("p", { class: "quiet small" });
    this.viewport = new Viewport();
    this.which = "now";
    this.gains = {};
    this.transport = new Transport(this.viewport, () => ({ kind: "training", name: name(), which: this.which, gain_db: this.gains[this.which] ?? 0 }), "training");
    this.transport.progress.hidden = true; // nothing of it is rendered here
    this.buttons = {
      recording: el("button", { type: "button", onclick: () => this.choose("recording", true) }, "A  the recording"),
      now: el("button", { type: "button", onclick: () => this.choose("now", true) }, "B  as it is played now") };
    this.sounds = el("div", { class: "row", hidden: true, role: "group", "aria-label": "A recording that is not learned from, and how it is played now; equally loud" },
      this.buttons.recording, this.buttons.now, this.transport.element);
    this.element = el("div", { class: "stack" }, el("div", { class: "charts" }, Object.values(this.charts)), this.judges, this.sounds);
    this.choose("now");
    this.clear();
  }

  choose(which, hear = false) {
    this.which = which;
    for (const [name, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(name === which));
    if (hear) this.transport.play(this.transport.playing ? this.viewport.playhead : 0);
  }

  clear() {
    for (const one of Object.values(this.charts)) one.clear();
    for (const judge of ["zimtohrli", "visqol"]) this.charts[judge].hidden = true;
    this.judges.textContent = "";
    this.sounds.hidden = true;
    this.transport.stop();
  }

  redraw() { for (const one of Object.values(this.charts)) one.redraw(); }

  show(line) {
    if (line.row) {
      const { row } = line;
      this.left = (row.seconds * (1 - row.progress)) / Math.max(row.progress, 1e-6) / 60;
      for (const name of ["loss", "bits_per_second", "pitch_median_cents"]) this.charts[name].add(row.step, row[name]);
      this.charts.left.add(row.step, this.left);
    }
    if (line.judges) this.judges.textContent = `${line.judges[0].toUpperCase()}${line.judges.slice(1)}`;
    if (line.judged) {
      for (const judge of ["zimtohrli", "visqol"]) {
        if (line[judge] === null) continue;
        this.charts[judge].hidden = false;
        this.charts[judge].add(line.judged, line[judge]);
      }
    }
  }

  // After all lines that came at once: only the last sounds are there.
  async hear(step) {
    try {
      const found = await get(this.path("/sounds"));
      this.gains = found.gain_db;
      this.viewport.end = found.duration_s;
      this.viewport.show(0, found.duration_s);
      this.buttons.now.textContent = `B  as it is played now, at step ${step}`;
      this.sounds.hidden = false;
    } catch { this.sounds.hidden = true; } // of a run whose sounds are gone
  }
}
