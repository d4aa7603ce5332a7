// Take: one recording, what was heard in it, and what is changed; A is the recording, B what is played.
import { byId, canvas, colour, dropZone, el, fill, signed, slider, tell, unique } from "./dom.js";
import { CURVES, Lanes } from "./lanes.js";
import { presetOptions } from "./parts.js";
import { Recorder, recordButton } from "./record.js";
import { addFile, ask, edit, studio, whenChanged } from "./state.js";
import { Transport } from "./transport.js";
import { Viewport } from "./viewport.js";

const SOUNDS = ".wav,.flac,.ogg,.mp3,.aif,.aiff,.npz";
const KEYS = ["chromatic", "major", "minor", "harmonic-minor", "dorian", "mixolydian", "major-pentatonic", "minor-pentatonic", "blues"];
const TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const state = { take: 0, picture: null, which: "result", gains: { recording: 0, result: 0 }, image: null };

export function buildTake() {
  const viewport = new Viewport();
  const fault = el("p", { class: "fault", role: "alert" });
  const busy = el("p", { class: "quiet", role: "status" });
  const attempt = async (work) => { fault.textContent = ""; try { await work(); } catch (error) { fault.textContent = error.message; } };
  const source = () => ({ kind: "take", take: state.take, which: state.which, gain_db: state.gains[state.which] });
  const transport = new Transport(viewport, source, "take");
  const set = (values) => attempt(async () => {
    const at = Math.max(0, Math.min(viewport.playhead, viewport.end - 0.2));
    await edit({ do: "take", take: state.take, values }, () => {
      studio.lastEdit.waits = !transport.playing;
      state.gains = { recording: 0, result: 0 };
      choose("result");
      if (!transport.playing) transport.play(at);
    }, at);
  });
  const lanes = new Lanes(viewport, {
    load: (from, to, points) => ask("/curves", { take: state.take, from_s: from, to_s: to, points }),
    draw: (curve, times, values, erase) => attempt(async () => {
      await edit({ do: "draw", take: state.take, curve, time_s: times, ...(erase ? { erase: true } : { values }) }, () => {
        studio.lastEdit.waits = !transport.playing;
        choose("result");
        if (!transport.playing) transport.play(Math.max(0, times[0] - 0.1), times.at(-1) + 0.4);
      }, times[0]);
    }),
  }, ["f0", "loudness", "brightness"], Object.keys(CURVES).filter((curve) => curve !== "pan"));

  const picture = canvas(230, (context, width, tall) => drawPicture(context, width, tall, viewport, lanes), { role: "img", "aria-label": "Waveform of the recording, and its spectrogram with the pitch drawn on it" });
  picture.addEventListener("wheel", (event) => viewport.wheel(event, picture.clientWidth), { passive: false });
  picture.addEventListener("pointerdown", (event) => transport.seek(Math.max(0, viewport.time(event.offsetX, picture.clientWidth))));
  for (const kind of ["moved", "playhead"]) viewport.addEventListener(kind, () => picture.redraw());

  const buttons = { recording: el("button", { type: "button", onclick: () => choose("recording", true) }, "A  recording"), result: el("button", { type: "button", onclick: () => choose("result", true) }, "B  as played") };
  function choose(which, hear = false) {
    state.which = which;
    for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(name === which));
    if (hear) match().then(() => transport.play(viewport.playhead));
  }
  async function match() {
    if (state.gains.recording || state.gains.result || !studio.view.takes[state.take].has_sound) return;
    try {
      state.gains = await ask(`/takes/${state.take}/match`);
    } catch (error) { fault.textContent = error.message; }
  }

  const preset = el("select", { id: unique("preset"), onchange: () => set({ preset: preset.value }) });
  const list = el("select", { "aria-label": "Take", onchange: () => { state.take = Number(list.value); load(); } });
  const fit = el("input", { type: "checkbox", onchange: () => set({ fit: fit.checked }) });
  const scale = el("select", { onchange: () => tune() }, KEYS.map((name) => el("option", { value: name }, name.replaceAll("-", " "))));
  const tonic = el("select", { onchange: () => tune() }, TONICS.map((name) => el("option", { value: name }, name.replace("#", "♯").replace(/b$/, "♭"))));
  const tune = () => set({ autotune: Number(sliders.autotune.range.value), scale: Number(sliders.autotune.range.value) ? (scale.value === "chromatic" ? "chromatic" : `${scale.value}:${tonic.value}`) : "chromatic" });
  const one = (name, options) => slider({ ...options, change: (value) => set({ [name]: value }) });
  const sliders = {
    transpose: one("transpose", { label: "Transpose", min: -24, max: 24, step: 1, value: 0, show: (v) => `${signed(0)(v)} st` }),
    loudness: one("loudness", { label: "Loudness", min: -24, max: 12, step: 0.5, value: 0, show: (v) => `${signed(1)(v)} dB` }),
    vibrato: one("vibrato", { label: "Vibrato", min: 0, max: 3, step: 0.05, value: 1, show: (v) => `× ${v.toFixed(2)}` }),
    stretch: one("stretch", { label: "Stretch", min: 0.5, max: 2, step: 0.05, value: 1, show: (v) => `× ${v.toFixed(2)}` }),
    autotune: slider({ label: "Autotune", min: 0, max: 1, step: 0.05, value: 0, show: (v) => `${Math.round(100 * v)} %`, change: () => tune() }),
    brightness: one("brightness", { label: "Brightness", min: -3, max: 3, step: 0.1, value: 0, show: (v) => `${signed(1)(v)} sd` }),
    breathiness: one("breathiness", { label: "Breathiness", min: -3, max: 3, step: 0.1, value: 0, show: (v) => `${signed(1)(v)} sd` }),
    hollowness: one("hollowness", { label: "Hollowness", min: -3, max: 3, step: 0.1, value: 0, show: (v) => `${signed(1)(v)} sd` }),
    bite: one("bite", { label: "Bite", min: -3, max: 3, step: 0.1, value: 0, show: (v) => `${signed(1)(v)} sd` }),
  };
  const defaults = { transpose: 0, loudness: 0, vibrato: 1, stretch: 1, autotune: 0, brightness: 0, breathiness: 0, hollowness: 0, bite: 0 };

  const first = el("select", { id: unique("first") });
  const take = async (file) => {
    busy.textContent = `Listening to ${file.name}: pitch, loudness and timbre are being written down; some seconds.`;
    try {
      const view = await addFile(file, { preset: first.value || "violin" });
      state.take = view.takes.length - 1;
      tell(`${file.name} is analyzed.`);
      load();
    } finally { busy.textContent = ""; }
  };
  const recorder = new Recorder();
  const record = recordButton(recorder, "Record", () => `take ${new Date().toISOString().slice(11, 19).replaceAll(":", ".")}.wav`, take);
  const add = el("div", { class: "stack" }, el("div", { class: "row" }, el("label", { for: first.id }, "Heard as"), first),
    dropZone({ title: "Drop a recording here", text: "One instrument or voice, one note at a time. It is taken apart into pitch, loudness and timbre, and put together again.", accept: SOUNDS, take, extra: [record.button] }),
    el("div", { class: "row" }, recorder.said), recorder.meter, record.fault, busy);
  const zoom = el("div", { class: "row" },
    el("button", { type: "button", class: "plain", onclick: () => viewport.show(viewport.from - 0.5 * viewport.length) }, "Earlier"),
    el("button", { type: "button", class: "plain", onclick: () => viewport.show(viewport.from + 0.5 * viewport.length) }, "Later"),
    el("button", { type: "button", class: "plain", onclick: () => viewport.zoom(1 / 1.5) }, "Zoom in"), el("button", { type: "button", class: "plain", onclick: () => viewport.zoom(1.5) }, "Zoom out"));
  const work = el("div", { class: "editor" },
    el("div", { class: "stack" },
      el("section", { class: "sheet", "aria-label": "Take" },
        el("div", { class: "row spread" }, list, el("div", { class: "row", role: "group", "aria-label": "What is heard, equally loud" }, buttons.recording, buttons.result)),
        el("div", { class: "row spread" }, transport.element, zoom), fault, el("div", { class: "lanes" }, picture), lanes.element)),
    el("div", { class: "stack" },
      el("section", { class: "sheet" }, el("h2", {}, "Who plays"), el("div", { class: "stack" }, el("label", { class: "field" }, "Instrument", preset), el("label", { class: "check" }, fit, "Fit into its range and levels"))),
      el("fieldset", { class: "sheet" }, el("legend", {}, "Pitch and time"), sliders.transpose, sliders.vibrato, sliders.stretch, sliders.autotune,
        el("div", { class: "fields" }, el("label", {}, "Scale", scale), el("label", {}, "Tonic", tonic))),
      el("fieldset", { class: "sheet" }, el("legend", {}, "Sound"), sliders.loudness, sliders.brightness, sliders.breathiness, sliders.hollowness, sliders.bite)));
  const more = el("details", {}, el("summary", {}, "Another recording"));
  fill(byId("view-take"), el("header", {}, el("div", {}, el("h1", { id: "take-title" }, "Take"), el("p", { class: "lede" }, "Change pitch, loudness or timbre of a recording, each alone."))), work, more, add);

  async function load() {
    state.picture = null;
    state.image = null;
    state.gains = { recording: 0, result: 0 };
    const now = studio.view?.takes[state.take];
    if (!now) return;
    viewport.end = now.duration_s;
    viewport.show(0, now.duration_s + 0.01);
    viewport.put(0);
    refresh();
    if (now.has_sound) {
      try { state.picture = await ask(`/takes/${state.take}/picture`); state.image = shade(state.picture); } catch (error) { fault.textContent = error.message; }
    }
    picture.redraw();
  }

  function refresh() {
    const takes = studio.view?.takes ?? [];
    work.hidden = !takes.length;
    more.hidden = !takes.length;
    if (takes.length && add.parentElement !== more) more.append(add);
    if (!takes.length && add.parentElement === more) byId("view-take").append(add);
    fill(first, presetOptions("violin"));
    if (!takes.length) return;
    state.take = Math.min(state.take, takes.length - 1);
    const now = takes[state.take];
    fill(list, takes.map((one) => el("option", { value: String(one.number), selected: one.number === state.take }, one.name)));
    fill(preset, presetOptions(now.preset));
    preset.value = now.preset;
    for (const [name, value] of Object.entries(defaults)) sliders[name].set(now.settings[name] ?? value);
    fit.checked = Boolean(now.settings.fit);
    const [name, key] = String(now.settings.scale ?? "chromatic").split(":");
    scale.value = name;
    if (key) tonic.value = key;
    buttons.recording.disabled = !now.has_sound;
    viewport.end = now.duration_s;
    lanes.load().then(() => picture.redraw());
    transport.watch();
  }
  choose("result");
  whenChanged((what) => {
    if (what === "project") load();
    if (["view", "project", "home"].includes(what)) refresh();
  });
  addEventListener("shown", ({ detail }) => { if (detail === "take") refresh(); });
  addEventListener("theme", () => { state.image = state.picture ? shade(state.picture) : null; picture.redraw(); });
}

function shade({ columns, rows, levels }) {
  const bytes = Uint8Array.from(atob(levels), (letter) => letter.charCodeAt(0));
  const image = new OffscreenCanvas(columns, rows);
  const context = image.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  const dark = document.documentElement.dataset.theme === "dark";
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const level = bytes[(rows - 1 - row) * columns + column];
      const grey = dark ? 18 + level * 0.75 : 250 - level * 0.88;
      pixels.data.set([grey, dark ? grey * 0.97 : grey * 0.985, dark ? grey * 0.93 : grey * 0.96, 255], 4 * (row * columns + column));
    }
  }
  context.putImageData(pixels, 0, 0);
  return image;
}

function drawPicture(context, width, tall, viewport, lanes) {
  context.fillStyle = colour("roll");
  context.fillRect(0, 0, width, tall);
  const take = studio.view?.takes[state.take];
  if (!take) return;
  const wave = 56;
  const { picture } = state;
  if (!picture) {
    context.fillStyle = colour("quiet");
    context.font = "13px sans-serif";
    context.fillText(take.has_sound ? "Drawing…" : "A saved performance, without its recording.", 12, 32);
    return;
  }
  const stretch = take.settings.stretch ?? 1; // what is drawn is the recording, laid under what is played
  const length = take.heard_s * stretch;
  const [left, right] = [viewport.x(0, width), viewport.x(length, width)];
  context.fillStyle = colour("rule-strong");
  const each = (right - left) / picture.columns;
  for (let i = 0; i < picture.columns; i += 1) {
    const x = left + i * each;
    if (x < -each || x > width) continue;
    const top = wave / 2 - (picture.high[i] * wave) / 2;
    context.fillRect(x, top, Math.max(0.7, each), Math.max(1, ((picture.high[i] - picture.low[i]) * wave) / 2));
  }
  context.imageSmoothingEnabled = true;
  context.drawImage(state.image, left, wave, right - left, tall - wave);
  if (lanes.data) {
    const octaves = Math.log2(picture.highest_hz / picture.lowest_hz);
    context.strokeStyle = colour("curve");
    context.lineWidth = 2;
    context.beginPath();
    let pen = false;
    lanes.data.time_s.forEach((time, i) => {
      const pitch = lanes.data.pitch[i];
      if (pitch === null || lanes.data.periodicity[i] < 0.5) { pen = false; return; }
      const hz = 440 * 2 ** ((pitch - 69) / 12);
      const y = tall - (Math.log2(hz / picture.lowest_hz) / octaves) * (tall - wave);
      if (pen) context.lineTo(viewport.x(time, width), y); else context.moveTo(viewport.x(time, width), y);
      pen = true;
    });
    context.stroke();
  }
  const x = viewport.x(viewport.playhead, width);
  context.strokeStyle = colour("ink");
  context.lineWidth = 1.5;
  context.beginPath(); context.moveTo(x, 0); context.lineTo(x, tall); context.stroke();
}
