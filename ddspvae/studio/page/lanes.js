// Curves over time, as they are played, to be drawn over by hand.
import { canvas, colour, el, fill, pitchName, signed } from "./dom.js";

export const side = (pan) => (Math.abs(pan - 0.5) < 0.01 ? "middle" : `${Math.round(Math.abs(pan - 0.5) * 200)} % ${pan < 0.5 ? "left" : "right"}`);
export const CURVES = {
  f0: { label: "Pitch", unit: "", show: pitchName },
  loudness: { label: "Loudness", unit: "dB", low: -80, high: 0, show: (v) => `${v.toFixed(1)} dB` },
  brightness: { label: "Brightness", unit: "sd", low: -4, high: 4, show: signed(2) },
  breathiness: { label: "Breathiness", unit: "sd", low: -4, high: 4, show: signed(2) },
  hollowness: { label: "Hollowness", unit: "sd", low: -4, high: 4, show: signed(2) },
  bite: { label: "Bite", unit: "sd", low: -4, high: 4, show: signed(2) },
  pan: { label: "Pan", unit: "", low: 1, high: 0, show: side, fixed: true }, // left is above; moved by the file and the desk
};

export class Lanes {
  // acts: load(from, to, points) gives the curves, draw(curve, times, values, erase)
  constructor(viewport, acts, shown = ["f0", "loudness"], all = Object.keys(CURVES)) {
    this.viewport = viewport;
    this.acts = acts;
    this.shown = new Set(shown);
    this.erasing = false;
    this.data = null;
    this.stroke = null;
    this.limits = [48, 84];
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Curves to show" });
    this.list = el("div", { class: "lanes" });
    this.all = all;
    this.canvases = new Map(); // those that are shown
    this.made = new Map(); // and all there were, which come back as they are
    this.form = this.buildForm();
    this.element = el("div", {}, el("div", { class: "row spread" }, this.chips), this.list, this.form);
    this.buildChips();
    this.buildLanes();
    let waiting = 0;
    viewport.addEventListener("moved", () => { this.redraw(); clearTimeout(waiting); waiting = setTimeout(() => this.load(), 120); });
    viewport.addEventListener("playhead", () => this.redraw());
  }

  buildChips() {
    const erase = el("button", { type: "button", "aria-pressed": String(this.erasing), onclick: () => { this.erasing = !this.erasing; erase.setAttribute("aria-pressed", String(this.erasing)); } }, "Erase what is drawn");
    fill(this.chips, this.all.map((curve) => {
      const { label } = CURVES[curve];
      const chip = el("button", { type: "button", "aria-pressed": String(this.shown.has(curve)), onclick: () => {
        if (this.shown.has(curve)) this.shown.delete(curve); else this.shown.add(curve);
        chip.setAttribute("aria-pressed", String(this.shown.has(curve)));
        this.buildLanes();
      } }, label);
      return chip;
    }), erase);
  }

  buildLanes() {
    for (const curve of this.shown) if (!this.made.has(curve)) this.made.set(curve, this.buildLane(curve));
    this.canvases = new Map([...this.shown].map((curve) => [curve, this.made.get(curve).firstChild]));
    fill(this.list, [...this.shown].map((curve) => this.made.get(curve)));
    requestAnimationFrame(() => this.redraw());
  }

  buildLane(curve) {
    const { label, fixed } = CURVES[curve];
    const lane = canvas(curve === "f0" ? 130 : 92, (context, width, tall) => this.draw(context, width, tall, curve), {
      class: fixed ? "fixed" : "", "aria-label": fixed ? `${label} over time.` : `${label} over time. Draw over it with the mouse, or below by numbers.`, role: "img" });
    lane.addEventListener("wheel", (event) => this.viewport.wheel(event, lane.clientWidth), { passive: false });
    lane.addEventListener("pointerdown", (event) => {
      if (event.button || fixed) return;
      lane.setPointerCapture(event.pointerId);
      this.stroke = { curve, points: [], erase: this.erasing || event.altKey };
      this.add(event, lane);
    });
    lane.addEventListener("pointermove", (event) => { if (this.stroke?.curve === curve) this.add(event, lane); });
    lane.addEventListener("pointerup", () => this.finish());
    const value = el("span", { class: "label" }, label);
    lane.addEventListener("pointermove", (event) => {
      const [low, high] = this.range(curve);
      value.textContent = `${label}  ${CURVES[curve].show(high - (event.offsetY / lane.clientHeight) * (high - low))}`;
    });
    lane.addEventListener("pointerleave", () => { value.textContent = label; });
    return el("div", { class: "lane" }, lane, value);
  }

  buildForm() {
    const names = Object.entries(CURVES).filter(([, one]) => !one.fixed).map(([curve, { label }]) => el("option", { value: curve }, label));
    const fields = Object.fromEntries([["from", "From, s"], ["to", "To, s"], ["first", "Value there"], ["last", "Value at the end"]].map(([name, label]) =>
      [name, el("label", {}, label, el("input", { type: "number", step: "any", name, required: true }))]));
    const curve = el("select", { name: "curve" }, names);
    const form = el("form", { class: "stack" }, el("div", { class: "fields" }, el("label", {}, "Curve", curve), el("span", {}), ...Object.values(fields)),
      el("p", { class: "quiet small" }, "Pitch in MIDI numbers (69 is A4), loudness in dB, timbre in standard deviations."),
      el("div", { class: "row" }, el("button", { type: "submit" }, "Draw"), el("button", { type: "button", onclick: () => submit(true) }, "Erase")));
    const submit = (erase) => {
      const value = (name) => Number(fields[name].querySelector("input").value);
      if (value("to") <= value("from")) return;
      this.acts.draw(curve.value, [value("from"), value("to")], [value("first"), value("last")], erase);
    };
    form.addEventListener("submit", (event) => { event.preventDefault(); submit(false); });
    this.fields = fields;
    return el("details", {}, el("summary", {}, "Draw by numbers"), form);
  }

  propose(from, to) {
    this.fields.from.querySelector("input").value = from.toFixed(2);
    this.fields.to.querySelector("input").value = to.toFixed(2);
  }

  range(curve) { return curve === "f0" ? this.limits : [CURVES[curve].low, CURVES[curve].high]; }

  add(event, lane) {
    const [low, high] = this.range(this.stroke.curve);
    for (const one of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const box = lane.getBoundingClientRect();
      const time = Math.max(0, this.viewport.time(one.clientX - box.left, lane.clientWidth));
      const value = Math.min(high, Math.max(low, high - ((one.clientY - box.top) / lane.clientHeight) * (high - low)));
      // a stroke goes back over itself: the later hand holds
      const last = this.stroke.points.at(-1);
      if (last && last[0] !== time) {
        const [a, b] = [Math.min(last[0], time), Math.max(last[0], time)];
        this.stroke.points = this.stroke.points.filter(([at]) => at <= a || at >= b);
      }
      this.stroke.points.push([time, value]);
    }
    lane.redraw();
  }

  async finish() {
    const { stroke } = this;
    if (!stroke) return;
    const points = [...stroke.points].sort((a, b) => a[0] - b[0]).filter(([time], i, all) => !i || time > all[i - 1][0]);
    if (points.length > 1) {
      const round = (digits) => (v) => Number(v.toFixed(digits));
      await this.acts.draw(stroke.curve, points.map(([time]) => round(4)(time)), points.map(([, value]) => round(3)(value)), stroke.erase);
    }
    this.stroke = null;
    this.redraw();
  }

  // One at a time; who wants it meanwhile gets it once more afterwards.
  load() {
    this.again = Boolean(this.loading);
    this.loading ??= (async () => {
      do { this.again = false; await this.fetch(); } while (this.again);
      this.loading = null;
    })();
    return this.loading;
  }

  async fetch() {
    const width = this.list.clientWidth || 800;
    const margin = 0.25 * this.viewport.length;
    try {
      this.data = await this.acts.load(Math.max(0, this.viewport.from - margin), this.viewport.to + margin, Math.min(3000, Math.round(1.5 * width)));
    } catch { return; } // the project was just changed; it loads again
    const pitches = this.data.pitch.filter((pitch) => pitch !== null);
    this.limits = pitches.length ? [Math.floor(Math.min(...pitches)) - 2, Math.ceil(Math.max(...pitches)) + 2] : this.limits;
    this.redraw();
  }

  redraw() { for (const lane of this.canvases.values()) lane.redraw(); }

  draw(context, width, tall, curve) {
    const { viewport } = this;
    const [low, high] = this.range(curve);
    const y = (value) => ((high - value) / (high - low)) * tall;
    context.strokeStyle = colour("rule");
    context.lineWidth = 1;
    const marks = curve === "f0" ? Array.from({ length: high - low }, (_, i) => low + i).filter((p) => p % (high - low > 30 ? 12 : 1) === 0) : curve === "loudness" ? [-60, -40, -20] : curve === "pan" ? [0.25, 0.5, 0.75] : [-2, 0, 2];
    for (const mark of marks) { context.beginPath(); context.moveTo(0, Math.round(y(mark)) + 0.5); context.lineTo(width, Math.round(y(mark)) + 0.5); context.stroke(); }
    const values = this.data && (curve === "f0" ? this.data.pitch : ["loudness", "pan"].includes(curve) ? this.data[curve] : this.data.axes[curve]);
    if (values) {
      context.fillStyle = colour("accent-soft");
      for (const [a, b] of this.data.drawn[curve] ?? []) context.fillRect(viewport.x(a, width), 0, viewport.x(b, width) - viewport.x(a, width), tall);
      context.strokeStyle = colour("curve");
      context.lineWidth = 1.6;
      context.beginPath();
      let pen = false;
      const { time_s: times } = this.data;
      for (let i = 0; i < values.length; i += 1) {
        if (values[i] === null || (!["f0", "loudness", "pan"].includes(curve) && this.data.pitch[i] === null)) { pen = false; continue; }
        const [x, at] = [viewport.x(times[i], width), Math.min(tall - 1, Math.max(1, y(values[i])))];
        if (pen) context.lineTo(x, at); else context.moveTo(x, at);
        pen = true;
      }
      context.stroke();
    }
    if (this.stroke?.curve === curve) {
      context.strokeStyle = colour("ink");
      context.lineWidth = 2.5;
      context.beginPath();
      [...this.stroke.points].sort((a, b) => a[0] - b[0]).forEach(([time, value], i) => { if (i) context.lineTo(viewport.x(time, width), y(value)); else context.moveTo(viewport.x(time, width), y(value)); });
      context.stroke();
    }
    const x = viewport.x(viewport.playhead, width);
    context.strokeStyle = colour("ink");
    context.lineWidth = 1.5;
    context.beginPath(); context.moveTo(x, 0); context.lineTo(x, tall); context.stroke();
  }
}
