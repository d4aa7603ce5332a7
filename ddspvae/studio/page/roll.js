// The piano roll: notes of all parts, those of the chosen one to be dragged, drawn out, added and removed.
import { canvas, colour, pitchName } from "./dom.js";

const RULER = 20;
const EDGE = 7; // pixels at the end of a note, to draw it out by

export class Roll {
  // acts: select(note), change(note, changes), add(pitch, onset, offset), remove(note), seek(seconds)
  constructor(viewport, acts, height = 300) {
    this.viewport = viewport;
    this.acts = acts;
    this.parts = [];
    this.part = 0;
    this.selected = null;
    this.drag = null;
    this.low = 48;
    this.high = 84;
    this.element = canvas(height, (context, width, tall) => this.draw(context, width, tall), {
      class: "roll", tabindex: "0", role: "application", "aria-roledescription": "piano roll",
      "aria-label": "Piano roll. Left and right choose a note, up and down move its pitch, with shift they move it in time, with alt its end. Delete removes it, N adds one, Enter plays it.",
    });
    viewport.addEventListener("moved", () => this.element.redraw());
    viewport.addEventListener("playhead", () => this.element.redraw());
    this.element.addEventListener("wheel", (event) => viewport.wheel(event, this.element.clientWidth), { passive: false });
    this.element.addEventListener("pointerdown", (event) => this.down(event));
    this.element.addEventListener("pointermove", (event) => this.move(event));
    this.element.addEventListener("pointerup", (event) => this.up(event));
    this.element.addEventListener("pointercancel", () => { this.drag = null; this.element.redraw(); });
    this.element.addEventListener("dblclick", (event) => this.double(event));
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  show(parts, part) {
    this.parts = parts;
    this.part = Math.min(part, Math.max(0, parts.length - 1));
    const pitches = parts.flatMap((one) => one.notes.map((note) => note.pitch));
    this.low = Math.floor(Math.min(72, ...pitches)) - 2;
    this.high = Math.ceil(Math.max(60, ...pitches)) + 3;
    this.element.redraw();
  }

  get notes() { return this.parts[this.part]?.notes ?? []; }
  find(id) { return this.notes.find((note) => note.id === id); }

  y(pitch, tall) { return RULER + ((this.high - pitch) / (this.high - this.low)) * (tall - RULER); }
  pitch(y, tall) { return this.high - ((y - RULER) / (tall - RULER)) * (this.high - this.low); }

  draw(context, width, tall) {
    const { viewport } = this;
    const row = (tall - RULER) / (this.high - this.low);
    context.fillStyle = colour("roll");
    context.fillRect(0, 0, width, tall);
    context.fillStyle = colour("roll-dark");
    for (let pitch = this.low; pitch <= this.high; pitch += 1) {
      if ([1, 3, 6, 8, 10].includes(((pitch % 12) + 12) % 12)) context.fillRect(0, this.y(pitch + 0.5, tall), width, row);
    }
    context.strokeStyle = colour("rule");
    context.fillStyle = colour("quiet");
    context.font = "11px sans-serif";
    context.lineWidth = 1;
    for (let pitch = Math.ceil(this.low / 12) * 12; pitch <= this.high; pitch += 12) {
      const y = Math.round(this.y(pitch - 0.5, tall)) + 0.5;
      context.beginPath(); context.moveTo(0, y); context.lineTo(width, y); context.stroke();
      context.fillText(pitchName(pitch), 3, y - 3);
    }
    const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60].find((one) => (one / viewport.length) * width > 56) ?? 120;
    for (let time = Math.ceil(viewport.from / step) * step; time < viewport.to; time += step) {
      const x = Math.round(viewport.x(time, width)) + 0.5;
      context.beginPath(); context.moveTo(x, RULER - 5); context.lineTo(x, tall); context.stroke();
      const minutes = Math.floor(time / 60 + 1e-9);
      context.fillText(`${minutes}:${(time - 60 * minutes).toFixed(step < 1 ? 2 : 0).padStart(step < 1 ? 5 : 2, "0")}`, x + 3, 12);
    }
    this.parts.forEach((part, number) => { if (number !== this.part) this.drawNotes(context, width, tall, row, part.notes, colour("rule-strong"), 0.35); });
    this.drawNotes(context, width, tall, row, this.notes, colour("accent"), 0.72);
    const moved = this.drag?.moved ? { ...this.drag.note, ...this.drag.now } : this.find(this.selected);
    if (moved) {
      const [x, y, w] = [viewport.x(moved.onset_s, width), this.y(moved.pitch + 0.5, tall), ((moved.offset_s - moved.onset_s) / viewport.length) * width];
      context.fillStyle = colour("accent");
      context.fillRect(x, y, Math.max(2, w), row);
      context.strokeStyle = colour("ink");
      context.lineWidth = 2;
      context.strokeRect(x - 1, y - 1, Math.max(2, w) + 2, row + 2);
    }
    const x = viewport.x(viewport.playhead, width);
    context.strokeStyle = colour("ink");
    context.lineWidth = 1.5;
    context.beginPath(); context.moveTo(x, 0); context.lineTo(x, tall); context.stroke();
  }

  drawNotes(context, width, tall, row, notes, fill, alpha) {
    const { viewport } = this;
    context.fillStyle = fill;
    for (const note of notes) {
      if (note.offset_s < viewport.from || note.onset_s > viewport.to || (this.drag?.moved && note.id === this.drag.note.id)) continue;
      context.globalAlpha = alpha * (0.45 + 0.55 * note.velocity / 127);
      const x = viewport.x(note.onset_s, width);
      context.fillRect(x, this.y(note.pitch + 0.5, tall), Math.max(2, viewport.x(note.offset_s, width) - x - 1), Math.max(2, row - 0.5));
    }
    context.globalAlpha = 1;
  }

  at(event) {
    const [width, tall] = [this.element.clientWidth, this.element.clientHeight];
    const [time, pitch] = [this.viewport.time(event.offsetX, width), this.pitch(event.offsetY, tall)];
    const reach = (4 / width) * this.viewport.length;
    const found = this.notes.find((note) => time >= note.onset_s - reach && time <= note.offset_s + reach && Math.abs(pitch - note.pitch) <= 0.6);
    const left = found ? this.viewport.x(found.offset_s, width) - event.offsetX : Infinity;
    return { time, pitch, found, atEnd: left < EDGE };
  }

  down(event) {
    if (event.button) return;
    this.element.focus({ preventScroll: true });
    const { time, pitch, found, atEnd } = this.at(event);
    if (event.offsetY < RULER || !found) { this.select(null); this.acts.seek(Math.max(0, time)); return; }
    this.element.setPointerCapture(event.pointerId);
    this.select(found.id);
    this.drag = { note: found, time, pitch, atEnd, moved: false, now: {} };
  }

  move(event) {
    const { time, pitch, found, atEnd } = this.at(event);
    if (!this.drag || this.drag.over) { this.element.style.cursor = found ? (atEnd ? "ew-resize" : "grab") : "default"; return; }
    const { note } = this.drag;
    const by = time - this.drag.time;
    if (this.drag.atEnd) this.drag.now = { offset_s: Math.max(note.onset_s + 0.03, note.offset_s + by) };
    else {
      const onset = Math.max(0, note.onset_s + (Math.abs(by / this.viewport.length) * this.element.clientWidth < 5 ? 0 : by));
      this.drag.now = { pitch: Math.min(127, Math.max(0, note.pitch + Math.round(pitch - this.drag.pitch))), onset_s: onset, offset_s: onset + note.offset_s - note.onset_s };
    }
    this.drag.moved = Object.entries(this.drag.now).some(([name, value]) => Math.abs(value - note[name]) > 1e-4);
    this.element.redraw();
  }

  async up() {
    const { drag } = this;
    if (drag?.moved && !drag.over) {
      drag.over = true; // it stays where it was put until that is known to hold
      await this.acts.change(drag.note, drag.now);
    }
    if (this.drag === drag) this.drag = null;
    this.element.redraw();
  }

  double(event) {
    const { time, pitch, found } = this.at(event);
    if (!found && event.offsetY > RULER) this.acts.add(Math.round(pitch), Math.max(0, time), Math.max(0, time) + 0.5);
  }

  select(id, tell = true) {
    this.selected = id;
    this.element.redraw();
    if (tell) this.acts.select(this.find(id) ?? null);
  }

  key(event) {
    const sorted = [...this.notes].sort((a, b) => a.onset_s - b.onset_s);
    const index = sorted.findIndex((note) => note.id === this.selected);
    const note = sorted[index];
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const upwards = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.ctrlKey || event.metaKey) return;
    if (sideways && !event.shiftKey && !event.altKey) {
      const next = index < 0 ? sorted.find((one) => one.onset_s >= this.viewport.from) ?? sorted[0] : sorted[Math.min(sorted.length - 1, Math.max(0, index + sideways))];
      if (next) {
        this.select(next.id);
        if (next.onset_s < this.viewport.from || next.offset_s > this.viewport.to) this.viewport.show(next.onset_s - 0.3 * this.viewport.length);
      }
    } else if (note && sideways && event.shiftKey) {
      const onset = Math.max(0, note.onset_s + 0.05 * sideways);
      this.acts.change(note, { onset_s: onset, offset_s: onset + note.offset_s - note.onset_s });
    } else if (note && sideways) this.acts.change(note, { offset_s: Math.max(note.onset_s + 0.03, note.offset_s + 0.05 * sideways) });
    else if (note && upwards) this.acts.change(note, { pitch: Math.min(127, Math.max(0, note.pitch + upwards * (event.shiftKey ? 12 : 1))) });
    else if (note && (event.key === "Delete" || event.key === "Backspace")) this.acts.remove(note);
    else if (event.key.toLowerCase() === "n") this.acts.add(note ? note.pitch : Math.round((this.low + this.high) / 2), note ? note.offset_s : this.viewport.playhead, (note ? note.offset_s : this.viewport.playhead) + 0.5);
    else if (event.key === "Enter" && note) this.acts.play(note);
    else return;
    event.preventDefault();
  }
}
