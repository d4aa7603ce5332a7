// Play and stop what is rendered, and where it is.
import { clock, el } from "./dom.js";
import { deck, onPage } from "./sound.js";
import { ask, studio } from "./state.js";

export class Transport {
  // source() says what is played; viewport follows
  constructor(viewport, source, name) {
    this.viewport = viewport;
    this.source = source;
    this.playing = false;
    this.name = name;
    this.button = el("button", { type: "button", class: "main", onclick: () => this.toggle(), "aria-keyshortcuts": "Space" }, "Play");
    this.start = el("button", { type: "button", onclick: () => this.seek(0) }, "To the start");
    this.clock = el("span", { class: "clock" }, "0:00.0");
    this.progress = el("progress", { max: "1", value: "0", "aria-label": "Rendered" });
    this.note = el("span", { class: "quiet small" });
    this.element = el("div", { class: "transport" }, this.button, this.start, this.clock, this.progress, this.note);
    deck.addEventListener("ring", ({ detail }) => this.ring(detail));
    deck.addEventListener("open", ({ detail }) => { if (!detail) this.stopped(); });
    deck.addEventListener("content", ({ detail }) => { if (detail.error && Transport.active === this) { this.note.textContent = detail.error; this.stopped(); } });
    addEventListener("shown", () => this.stop());
    addEventListener("keydown", (event) => {
      if (event.code !== "Space" || this.isHidden || event.target.matches("button, input, select, summary, a")) return;
      event.preventDefault();
      this.toggle();
    });
  }

  get isHidden() { return this.element.closest(".view")?.hidden ?? true; }

  toggle() { if (this.playing) this.stop(); else this.play(); }

  async play(from = this.viewport.playhead, to = undefined, source = this.source()) {
    if (!source || (!studio.view && source.kind !== "training")) return;
    Transport.active = this;
    this.playing = true;
    this.last = { source, to };
    this.button.textContent = "Stop";
    try { await deck.ready(); } catch (error) {
      this.note.textContent = error.message;
      this.stopped();
      return;
    }
    deck.send({ project: studio.project, source, at_s: Math.max(0, from), to_s: to }, true);
  }

  stop() { if (this.playing) { deck.run(false); this.stopped(); } }
  stopped() { this.playing = false; this.button.textContent = "Play"; }

  seek(seconds) {
    this.viewport.put(seconds);
    this.clock.textContent = clock(seconds);
    if (this.playing) this.play(seconds, undefined, this.last.source);
  }

  ring(detail) {
    if (Transport.active !== this) return;
    if (detail.first !== undefined) {
      studio.figures.firstSound = onPage(detail.clock);
      if (studio.lastEdit?.waits) {
        studio.lastEdit.waits = false;
        studio.figures.editToSound = studio.figures.firstSound - studio.lastEdit.began;
        (studio.figures.editsToSound ??= []).push(studio.figures.editToSound);
        this.note.textContent = `Heard ${Math.round(studio.figures.editToSound)} ms after the edit.`;
      }
    }
    if (detail.ended) this.stopped();
    if (detail.peak !== undefined) {
      studio.figures.deck = detail;
      studio.figures.deckLoudest = Math.max(studio.figures.deckLoudest ?? 0, detail.peak);
      if (detail.position !== undefined && this.playing) { this.viewport.put(detail.position); this.clock.textContent = `${clock(detail.position)} of ${clock(this.viewport.end)}`; }
    }
  }

  async watch() {
    clearTimeout(this.timer);
    if (!studio.view || this.isHidden) return;
    try {
      const { rendered } = await ask("/progress");
      this.progress.value = rendered;
      this.progress.hidden = rendered >= 1;
      if (rendered < 1) this.timer = setTimeout(() => this.watch(), 400);
      else if (this.note.textContent.startsWith("Rendering")) this.note.textContent = "";
    } catch { this.timer = setTimeout(() => this.watch(), 1500); }
  }
}
