// The keys on the screen, under the letters of the computer's keyboard, and those of MIDI.
import { el, NAMES } from "./dom.js";

const LETTERS = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon"];
const SHOWN = ["a", "w", "s", "e", "d", "f", "t", "g", "y", "h", "u", "j", "k", "o", "l", "p", ";"];
const BLACK = new Set([1, 3, 6, 8, 10]);

export class Keyboard {
  // press(pitch, velocity, time) and release(pitch) are called once a key.
  constructor(press, release) {
    this.press = press;
    this.release = release;
    this.octave = 4;
    this.velocity = 90;
    this.held = new Map(); // source -> pitch
    this.element = el("div", { class: "keys", role: "group", "aria-label": "Keys" });
    this.range = [0, 127];
    this.draw();
    addEventListener("keydown", (event) => this.down(event));
    addEventListener("keyup", (event) => this.up(event.code));
    addEventListener("blur", () => this.letGo());
    addEventListener("pointerup", () => this.up("pointer"));
    this.enabled = () => true;
  }

  get lowest() { return 12 * (this.octave + 1); }

  draw() {
    const wide = innerWidth > 700;
    const count = wide ? 25 : 13;
    const pitches = Array.from({ length: count }, (_, i) => this.lowest + i);
    const whites = pitches.filter((pitch) => !BLACK.has(pitch % 12));
    const width = 100 / whites.length;
    this.keys = new Map();
    this.element.replaceChildren(...pitches.map((pitch) => {
      const black = BLACK.has(pitch % 12);
      const letter = SHOWN[pitch - this.lowest];
      const outside = pitch < this.range[0] || pitch > this.range[1];
      const key = el("button", {
        type: "button", class: `key${black ? " black" : ""}${outside ? " outside" : ""}`, tabindex: pitch === this.lowest ? "0" : "-1",
        "data-name": pitch % 12 === 0 ? `C${Math.floor(pitch / 12) - 1}` : undefined,
        "aria-label": `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}${outside ? ", outside of what was recorded" : ""}`,
      }, letter ? el("kbd", { "aria-hidden": "true" }, letter) : null);
      if (black) {
        const before = whites.filter((white) => white < pitch).length;
        key.style.left = `calc(${before * width}% - ${width * 0.3}%)`;
        key.style.width = `${width * 0.6}%`;
      }
      key.addEventListener("pointerdown", (event) => { event.preventDefault(); key.focus({ preventScroll: true }); this.start("pointer", pitch, this.velocity, event.timeStamp); });
      key.addEventListener("pointerenter", (event) => { if (event.buttons & 1 && this.held.has("pointer")) { this.up("pointer"); this.start("pointer", pitch, this.velocity, event.timeStamp); } });
      key.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); if (!event.repeat) this.start("focus", pitch, this.velocity, event.timeStamp); }
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        const next = step && this.keys.get(pitch + step);
        if (next) { event.preventDefault(); next.tabIndex = 0; key.tabIndex = -1; next.focus(); }
      });
      key.addEventListener("keyup", (event) => { if (event.key === "Enter" || event.key === " ") this.up("focus"); });
      this.keys.set(pitch, key);
      return key;
    }));
  }

  down(event) {
    if (!this.enabled() || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches?.("input[type=text], input[type=number], select, textarea")) return;
    const at = LETTERS.indexOf(event.code);
    if (at >= 0) { event.preventDefault(); this.start(event.code, this.lowest + at, this.velocity, event.timeStamp); }
    if (event.code === "KeyZ" || event.code === "KeyX") this.shift(event.code === "KeyX" ? 1 : -1);
  }

  shift(by) {
    this.letGo();
    this.octave = Math.min(7, Math.max(0, this.octave + by));
    this.draw();
  }

  start(source, pitch, velocity, time) {
    if (this.held.has(source) || pitch > 127) return;
    this.held.set(source, pitch);
    this.keys.get(pitch)?.classList.add("down");
    this.press(pitch, velocity, time);
  }

  up(source) {
    const pitch = this.held.get(source);
    if (pitch === undefined) return;
    this.held.delete(source);
    if (![...this.held.values()].includes(pitch)) {
      this.keys.get(pitch)?.classList.remove("down");
      this.release(pitch);
    }
  }

  letGo() { for (const source of [...this.held.keys()]) this.up(source); }
}
