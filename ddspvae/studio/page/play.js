// Play: choose an instrument, play it at once, turn its axes, record what is played as notes.
import { byId, clock, el, fill, pitchName, signed, slider, tell } from "./dom.js";
import { Keyboard } from "./keyboard.js";
import { live, onPage } from "./sound.js";
import { sendPlayed, studio, whenChanged } from "./state.js";

const AXES = { brightness: ["Brightness", "dull to bright"], breathiness: ["Breathiness", "tone to air"], hollowness: ["Hollowness", "full to hollow"], bite: ["Bite", "soft to noisy attacks"] };
const settings = { preset: "violin", expression: 1, wet_db: 0, decay: 1, mono: false };
const delays = [];
const marks = new Map();
let mark = 0;
let chosen = null;
let opening = null;
let between = { first: "clarinet", second: "trumpet", share: 0.5 };
let recording = null;
let parts = {};

export function buildPlay() {
  const keyboard = new Keyboard(press, release);
  keyboard.enabled = () => !byId("view-play").hidden;
  addEventListener("resize", () => keyboard.draw());
  parts = {
    keyboard, list: el("div", { class: "instruments", role: "radiogroup", "aria-label": "Instrument" }),
    between: el("div", { class: "stack", hidden: true }), fault: el("p", { class: "fault", role: "alert" }),
    meter: el("i"), p50: el("dd", {}, "–"), p99: el("dd", {}, "–"), out: el("dd", {}, "–"), gaps: el("dd", {}, "0"),
    state: el("p", { class: "quiet small", role: "status", id: "play-state" }, "Press a key to wake the sound."), midi: el("span", { class: "quiet small" }, ""),
    record: el("button", { type: "button", onclick: () => toggleRecording() }, "Record as notes"), time: el("span", { class: "quiet" }),
    octave: el("span", { class: "quiet small" }),
  };
  const octaves = el("div", { class: "row" },
    el("button", { type: "button", onclick: () => keyboard.shift(-1), "aria-keyshortcuts": "Z" }, "Octave down"),
    el("button", { type: "button", onclick: () => keyboard.shift(1), "aria-keyshortcuts": "X" }, "Octave up"),
    el("button", { type: "button", class: "plain", onclick: () => live.send({ type: "panic" }) }, "Silence"));
  const axes = Object.entries(AXES).map(([axis, [label, hint]]) => slider({
    label, hint, min: -3, max: 3, step: 0.05, value: 0, show: (v) => `${signed(1)(v)} sd`, input: (value) => live.send({ type: "turn", axis, value }) }));
  const how = [
    slider({ label: "Expression", hint: "deadpan to exaggerated", min: 0, max: 2, step: 0.05, value: 1, show: (v) => v.toFixed(2), change: (v) => reopen({ expression: v }) }),
    slider({ label: "Loudness of keys", hint: "velocity", min: 1, max: 127, step: 1, value: 90, input: (v) => { keyboard.velocity = v; } }),
    slider({ label: "Tuning", min: -100, max: 100, step: 1, value: 0, show: (v) => `${signed(0)(v)} ct`, input: (cents) => live.send({ type: "tuning", cents }) }),
    slider({ label: "Bend", hint: "springs back", min: -2, max: 2, step: 0.01, value: 0, show: (v) => `${signed(2)(v)} st`, input: (semitones) => live.send({ type: "bend", semitones }) }),
    slider({ label: "Room", min: -20, max: 20, step: 1, value: 0, show: (v) => `${signed(0)(v)} dB`, change: (v) => reopen({ wet_db: v }) }),
    slider({ label: "Room length", min: 0.25, max: 4, step: 0.05, value: 1, show: (v) => `× ${v.toFixed(2)}`, change: (v) => reopen({ decay: v }) }),
  ];
  how[3].range.addEventListener("change", () => { how[3].set(0); live.send({ type: "bend", semitones: 0 }); });
  const mono = el("input", { type: "checkbox", onchange: (event) => reopen({ mono: event.target.checked }) });
  fill(byId("view-play"),
    el("header", {}, el("div", {}, el("h1", { id: "play-title" }, "Play"), el("p", { class: "lede" }, "Choose an instrument and press a key: letters, mouse, or a MIDI keyboard."))),
    el("div", { class: "columns" },
      el("div", { class: "stack" },
        el("section", { class: "sheet" }, el("h2", {}, "Instrument"), parts.list, parts.between, parts.fault),
        el("section", { class: "sheet" }, el("div", { class: "row spread" }, el("h2", {}, "Keys"), octaves),
          keyboard.element, el("div", { class: "row spread" }, parts.state, parts.midi),
          el("div", { class: "meter", role: "img", "aria-label": "Level of the sound", id: "play-meter" }, parts.meter)),
        el("section", { class: "sheet" }, el("div", { class: "row spread" }, el("h2", {}, "Record"), el("div", { class: "row" }, parts.time, parts.record)),
          el("p", { class: "quiet" }, "What you play becomes a part of the project's score, with its velocities and times, to be shaped there.")),
        el("section", { class: "sheet" }, el("h2", {}, "Delay"),
          el("dl", { class: "figures" },
            el("div", {}, el("dt", {}, "Key to sound, half of the notes"), parts.p50), el("div", {}, el("dt", {}, "99 % of the notes"), parts.p99),
            el("div", {}, el("dt", {}, "The device adds"), parts.out), el("div", {}, el("dt", {}, "Gaps"), parts.gaps)))),
      el("div", { class: "stack" },
        el("fieldset", { class: "sheet" }, el("legend", {}, "Timbre"), axes),
        el("fieldset", { class: "sheet" }, el("legend", {}, "How it is played"), how, el("label", { class: "check" }, mono, "One line, with legato")))));
  live.addEventListener("content", ({ detail }) => heard(detail));
  live.addEventListener("ring", ({ detail }) => ring(detail));
  live.addEventListener("open", ({ detail }) => {
    if (detail && chosen) choose();
    else if (!detail && chosen) parts.state.textContent = "The server does not answer; waiting for it.";
  });
  whenChanged((what) => { if (what === "home") listInstruments(); });
  listenToMidi();
}

function listInstruments() {
  fill(parts.list, studio.home.instruments.map((one) => {
    const input = el("input", { type: "radio", name: "instrument", value: one.preset, checked: one.preset === settings.preset });
    input.addEventListener("change", () => { settings.preset = one.preset; choose(); });
    return el("label", { class: "instrument" }, input, el("span", {}, el("b", {}, one.name.replaceAll("-", " ")),
      el("i", {}, one.timbres.length ? `between ${one.timbres.length} instruments` : `${pitchName(Math.round(one.low))} to ${pitchName(Math.round(one.high))}${one.own ? ", yours" : ""}`)));
  }));
  const many = studio.home.instruments.find((one) => one.timbres.length);
  if (!many) return;
  const options = (value) => many.timbres.map((name) => el("option", { value: name, selected: name === value }, name.replaceAll("-", " ")));
  const pick = (which, label) => el("label", { class: "field" }, label, el("select", { onchange: (event) => { between[which] = event.target.value; choose(); } }, options(between[which])));
  fill(parts.between, el("div", { class: "fields" }, pick("first", "From"), pick("second", "To")),
    slider({ label: "Place between", min: 0, max: 1, step: 0.01, value: between.share, show: (v) => `${Math.round(v * 100)} %`, input: (v) => { between.share = v; }, change: () => choose() }));
}

function presetAsked() {
  const one = studio.home.instruments.find((row) => row.preset === settings.preset);
  return one?.timbres.length ? `${settings.preset}:${between.first}~${between.second}@${between.share}` : settings.preset;
}

function reopen(changes) {
  Object.assign(settings, changes);
  if (chosen) choose();
}

function choose() {
  opening = openChosen();
  return opening;
}

async function openChosen() {
  const one = studio.home.instruments.find((row) => row.preset === settings.preset);
  parts.between.hidden = !one?.timbres.length;
  parts.fault.textContent = "";
  parts.state.textContent = "Opening the instrument…";
  try { await live.ready(); } catch (error) {
    parts.fault.textContent = error.message;
    opening = null;
    return;
  }
  live.run(true);
  const content = { ...settings, type: "choose", preset: presetAsked() };
  const answered = new Promise((resolve) => { live.resolve = resolve; });
  live.send(content, true);
  await answered;
}

function heard(content) {
  if (content.error) { parts.fault.textContent = content.error; parts.state.textContent = ""; return; }
  if (!content.chosen) return;
  chosen = content.chosen;
  parts.keyboard.range = [content.low, content.high];
  const middle = (content.low + content.high) / 2;
  if (parts.keyboard.chosen !== settings.preset) parts.keyboard.octave = Math.max(0, Math.min(7, Math.round((middle - 12) / 12) - 1));
  parts.keyboard.chosen = settings.preset;
  parts.keyboard.draw();
  parts.state.textContent = `Ready. ${pitchName(Math.round(content.low))} to ${pitchName(Math.round(content.high))} were recorded.`;
  live.resolve?.();
}

export async function press(pitch, velocity, time) {
  const wakes = !chosen; // a key that opens the instrument says nothing of the delay of the others
  if (wakes) {
    if (!opening) await choose();
    else await opening;
  }
  mark += 1;
  if (!wakes) marks.set(mark, time);
  live.send({ type: "on", note: Math.round(pitch), velocity: Math.round(velocity), mark });
  if (recording) recording.open.set(pitch, { pitch, velocity: Math.round(velocity), onset_s: (time - recording.began) / 1000 });
}

export function release(pitch) {
  live.send({ type: "off", note: Math.round(pitch) });
  const note = recording?.open.get(pitch);
  if (note) {
    recording.open.delete(pitch);
    recording.notes.push({ ...note, onset_s: Math.max(0, note.onset_s), offset_s: Math.max((performance.now() - recording.began) / 1000, note.onset_s + 0.02) });
  }
}

// A page that is laid out anew takes time from the sound.
function show(node, text) { if (node.textContent !== text) node.textContent = text; }

function ring(detail) {
  if (detail.mark !== undefined) {
    const struck = marks.get(detail.mark);
    for (const old of marks.keys()) if (old <= detail.mark) marks.delete(old);
    if (struck === undefined) return;
    delays.push(onPage(detail.clock) - struck);
    if (delays.length > 5000) delays.shift();
    const sorted = [...delays].sort((a, b) => a - b);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    studio.figures.delays = delays;
    show(parts.p50, `${at(0.5).toFixed(0)} ms`);
    show(parts.p99, `${at(0.99).toFixed(0)} ms`);
    show(parts.out, `${(1000 * live.outputDelay).toFixed(0)} ms`);
  }
  if (detail.peak !== undefined) {
    const shown = Math.max(0, 1 + Math.log10(Math.max(detail.peak, 1e-6)) / 3);
    parts.meter.style.transform = `scaleX(${Math.min(1, shown).toFixed(2)})`;
    show(parts.gaps, String(detail.gaps));
    studio.figures.live = detail;
    studio.figures.loudest = Math.max(studio.figures.loudest ?? 0, detail.peak);
  }
}

async function toggleRecording() {
  if (!recording) {
    if (!chosen) await choose();
    recording = { began: performance.now(), open: new Map(), notes: [] };
    parts.record.textContent = "Stop";
    parts.record.classList.add("recording");
    recording.timer = setInterval(() => { parts.time.textContent = `${clock((performance.now() - recording.began) / 1000)}, ${recording.notes.length} notes`; }, 100);
    return;
  }
  parts.keyboard.letGo();
  clearInterval(recording.timer);
  const { notes } = recording;
  recording = null;
  parts.record.textContent = "Record as notes";
  parts.record.classList.remove("recording");
  try {
    const first = Math.min(...notes.map((note) => note.onset_s));
    await sendPlayed(notes.map((note) => ({ ...note, onset_s: note.onset_s - first, offset_s: note.offset_s - first })));
    tell(`${notes.length} notes are in the score.`);
    parts.time.textContent = `${notes.length} notes are in the score.`;
  } catch (error) { parts.time.textContent = error.message; }
}

async function listenToMidi() {
  if (!navigator.requestMIDIAccess) { parts.midi.textContent = "This browser has no MIDI."; return; }
  try {
    const access = await navigator.requestMIDIAccess();
    const join = () => {
      const names = [...access.inputs.values()].map((input) => input.name);
      parts.midi.textContent = names.length ? `MIDI: ${names.join(", ")}` : "No MIDI keyboard is connected.";
      for (const input of access.inputs.values()) input.onmidimessage = midi;
    };
    access.onstatechange = join;
    join();
  } catch { parts.midi.textContent = "MIDI was not allowed."; }
}

export function midi({ data, timeStamp }) {
  const [status, one, two] = data;
  const kind = status & 0xf0;
  if (kind === 0x90 && two) parts.keyboard.start(`midi-${one}`, one, two, timeStamp || performance.now());
  else if (kind === 0x80 || kind === 0x90) parts.keyboard.up(`midi-${one}`);
  else if (kind === 0xb0 && one === 64) live.send({ type: "pedal", down: two >= 64 });
  else if (kind === 0xe0) live.send({ type: "bend", semitones: 2 * (((two << 7) | one) - 8192) / 8192 });
}
