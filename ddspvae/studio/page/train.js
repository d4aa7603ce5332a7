// Train: recordings in, the doctor's report, a training that goes on without the page, and what it has learned.
import { get, post, upload } from "./api.js";
import { byId, dropZone, el, fill, pitchName, tell, unique } from "./dom.js";
import { presetOptions } from "./parts.js";
import { Progress } from "./progress.js";
import { Recorder, recordButton } from "./record.js";
import { loadHome, studio, whenChanged } from "./state.js";

const state = { name: "", after: 0, timer: 0, guide: null, heard: 0 };
const MOST_LINES = 2000; // of what was told last; the curves hold the rest
export const training = { lines: [] };
globalThis.training = training;

export function buildTrain() {
  const fault = el("p", { class: "fault", role: "alert" });
  const attempt = async (work) => { fault.textContent = ""; try { await work(); } catch (error) { fault.textContent = error.message; } };
  const path = (rest) => `/api/trainings/${encodeURIComponent(state.name)}${rest}`;
  const which = el("select", { id: unique("training"), onchange: () => open(which.value) });
  const name = el("input", { type: "text", maxlength: "40", placeholder: "For example: my cello", "aria-label": "Name of a new instrument" });
  const naming = el("form", { class: "row" }, name, el("button", { type: "submit" }, "New instrument"));
  naming.addEventListener("submit", (event) => { event.preventDefault(); if (name.value.trim()) { open(name.value.trim(), true); name.value = ""; } });

  const files = el("div", { class: "scroll" });
  const take = (file) => attempt(async () => {
    if (!state.name) open("my instrument", true);
    list(await upload(path("/files"), { name: file.name.replace(/[^\p{L}\p{N}_ .,+()&'#-]/gu, "_") }, file));
  });
  const recorder = new Recorder();
  const next = el("span", { class: "next" });
  const lowest = el("input", { type: "number", min: "0", max: "127", value: "55", onchange: () => guide(0) });
  const highest = el("input", { type: "number", min: "0", max: "127", value: "79", onchange: () => guide(0) });
  const step = el("select", { onchange: () => guide(0) }, [1, 2, 3].map((n) => el("option", { value: String(n), selected: n === 2 }, n === 1 ? "every semitone" : n === 2 ? "every whole tone" : "every third")));
  let at = 0;
  const pitches = () => { const all = []; for (let p = Number(lowest.value); p <= Number(highest.value); p += Number(step.value)) all.push(p); return all; };
  function guide(to) {
    at = Math.max(0, Math.min(to, pitches().length - 1));
    next.textContent = pitchName(pitches()[at] ?? 60);
    where.textContent = `note ${at + 1} of ${pitches().length}: play it for four seconds, once soft and once loud`;
  }
  const where = el("span", { class: "quiet" });
  const one = recordButton(recorder, "Record this note", () => `${pitchName(pitches()[at]).replace("♯", " sharp ")} ${Date.now() % 100000}.wav`, async (file) => { await take(file); guide(at + 1); });
  const report = el("div", { class: "stack" });
  const examine = el("button", { type: "button", onclick: () => attempt(async () => {
    examine.disabled = true;
    fill(report, el("p", { class: "quiet", role: "status" }, "The doctor listens…"));
    try { showReport(await post(path("/examine"))); } catch (error) { fill(report, el("p", { class: "fault", role: "alert" }, error.message)); } finally { examine.disabled = false; }
  }) }, "Examine them");

  const minutes = el("input", { type: "number", id: unique("minutes"), min: "0.05", step: "any", value: "10" });
  const from = el("select", { id: unique("from") });
  const start = el("button", { type: "button", class: "main", onclick: () => attempt(async () => { await post(path("/start"), { minutes: Number(minutes.value), start_from: from.value }); reset(); watch(); }) }, "Start the training");
  const goOn = el("button", { type: "button", onclick: () => attempt(async () => { await post(path("/start"), { go_on: true }); watch(); }) }, "Go on");
  const stop = el("button", { type: "button", onclick: () => attempt(async () => { await post(path("/stop")); tell("It stops after this step; what was saved stays."); }) }, "Stop");
  const said = el("p", { class: "quiet", role: "status" });
  const bar = el("progress", { max: "1", value: "0", "aria-label": "Of the training" });
  const progress = new Progress(path, () => state.name);
  const done = el("div", { class: "stack" });

  fill(byId("view-train"),
    el("header", {}, el("div", {}, el("h1", { id: "train-title" }, "Train"), el("p", { class: "lede" }, "Learn an instrument from minutes of recordings.")),
      el("div", { class: "row" }, el("label", { for: which.id }, "Instrument"), which, naming)),
    fault,
    el("div", { class: "steps" },
      el("section", { class: "sheet" }, el("h2", {}, "Recordings"),
        el("p", { class: "quiet" }, "One instrument, one note at a time, 5 to 20 minutes, in one place: sustained notes over the whole range, and some real playing."),
        el("div", { class: "columns" }, el("div", { class: "stack" },
          dropZone({ title: "Add recordings", text: "Drop sound files here.", accept: ".wav,.flac,.ogg,.mp3,.aif,.aiff", multiple: true, compact: true, take }), files),
        el("div", { class: "stack" }, el("h3", {}, "Or record them, note by note"),
          el("div", { class: "fields" }, el("label", {}, "Lowest (MIDI)", lowest), el("label", {}, "Highest (MIDI)", highest), el("label", {}, "Steps", step)),
          el("div", { class: "guide" }, next, el("div", { class: "stack" }, where, el("div", { class: "row" }, one.button, el("button", { type: "button", class: "plain", onclick: () => guide(at - 1) }, "Back"), el("button", { type: "button", class: "plain", onclick: () => guide(at + 1) }, "Skip")))),
          recorder.meter, recorder.said, one.fault))),
      el("section", { class: "sheet" }, el("h2", {}, "The doctor"), el("div", { class: "stack" }, el("div", { class: "row" }, examine, el("span", { class: "quiet" }, "says what is wrong before an hour is spent on it.")), report)),
      el("section", { class: "sheet" }, el("h2", {}, "Training"),
        el("div", { class: "stack" }, el("div", { class: "row" }, el("label", { for: minutes.id }, "Minutes"), minutes, el("label", { for: from.id }, "Begin with"), from, start, goOn, stop),
          said, bar, progress.element, done))));
  guide(0);

  function open(chosen, fresh = false) {
    state.name = chosen;
    if (fresh && ![...which.options].some((option) => option.value === chosen)) which.append(el("option", { value: chosen }, chosen));
    which.value = chosen;
    fill(report);
    reset();
    list(studio.home?.trainings ?? []);
    watch();
  }

  function reset() {
    state.after = 0;
    state.heard = 0;
    training.lines = [];
    progress.clear();
    fill(done);
    bar.value = 0;
    said.textContent = "";
  }

  function list(rows) {
    studio.home.trainings = rows;
    const names = rows.map((row) => row.name);
    if (state.name && !names.includes(state.name)) names.push(state.name);
    fill(which, names.length ? null : el("option", { value: "" }, "None yet"), names.map((one) => el("option", { value: one, selected: one === state.name }, one)));
    const found = rows.find((row) => row.name === state.name);
    fill(files, found?.files.length ? el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, `${found.files.length} recordings`), el("th", {}, el("span", { class: "sr" }, "Remove")))),
      el("tbody", {}, found.files.map((file) => el("tr", {}, el("td", {}, file), el("td", { class: "number" }, el("button", { type: "button", class: "plain", "aria-label": `Remove ${file}`, onclick: () => attempt(async () => list(await post(`${path("/remove")}?${new URLSearchParams({ name: file })}`))) }, "Remove")))))) : el("p", { class: "quiet" }, "No recordings yet."));
    for (const button of [examine, start]) button.disabled = !found?.files.length;
  }

  function showReport(found) {
    const { total } = found;
    const share = (v) => `${Math.round(100 * v)} %`;
    const range = (row) => (row.lowest_hz ? `${pitchName(Math.round(69 + 12 * Math.log2(row.lowest_hz / 440)))} to ${pitchName(Math.round(69 + 12 * Math.log2(row.highest_hz / 440)))}` : "none");
    const seconds = Object.entries(total.pitch_s).map(([pitch, s]) => [Number(pitch), s]);
    const most = Math.max(1e-6, ...seconds.map(([, s]) => s));
    const [low, high] = [Math.min(...seconds.map(([p]) => p)), Math.max(...seconds.map(([p]) => p))];
    const bars = [];
    for (let p = low; p <= high; p += 1) { const bar = el("i", { title: `${pitchName(p)}: ${(total.pitch_s[p] ?? 0).toFixed(1)} s` }); bar.style.height = `${100 * (total.pitch_s[p] ?? 0) / most}%`; bars.push(bar); }
    fill(report,
      el("p", {}, `${total.n_files} recordings, ${total.minutes.toFixed(1)} minutes, ${found.left_out.length} left out.`),
      found.advice.length ? el("ul", { class: "advice" }, found.advice.map((sentence) => el("li", {}, sentence))) : el("p", {}, "All is well."),
      seconds.length ? el("div", {}, el("p", { class: "quiet small" }, `Seconds of each pitch, ${pitchName(low)} to ${pitchName(high)}`), el("div", { class: "histogram", role: "img", "aria-label": `Seconds of each pitch: ${seconds.map(([p, s]) => `${pitchName(p)} ${s.toFixed(1)}`).join(", ")}` }, bars)) : null,
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Recordings in numbers" }, el("table", {}, el("thead", {}, el("tr", {}, ["File", "s", "Clipped", "Floor, dB", "Silent", "Pitched", "Two pitches", "Range"].map((h, i) => el("th", { scope: "col", class: i ? "number" : "" }, h)))),
        el("tbody", {}, found.files.map((row) => el("tr", {}, el("td", {}, row.path), ...[row.duration_s.toFixed(1), share(row.clipped_share), row.noise_floor_db.toFixed(0), share(row.silence_share), share(row.sure_share), share(row.second_pitch_share), range(row)].map((v) => el("td", { class: "number" }, v)))),
          found.left_out.map((row) => el("tr", {}, el("td", {}, row.path), el("td", { colspan: "7" }, `left out: ${row.reason}`)))))));
  }

  async function watch() {
    clearTimeout(state.timer);
    if (!state.name) return;
    const asked = state.name;
    try {
      const told = await get(path("/progress"), { after: state.after });
      if (asked !== state.name) return;
      const isOver = told.lines.some((line) => "finished" in line);
      state.after = told.next;
      for (const line of told.lines) show(line);
      const heard = told.lines.filter((line) => line.heard).at(-1)?.heard;
      if (heard && heard !== state.heard) { state.heard = heard; progress.hear(heard); }
      progress.redraw();
      stop.disabled = !told.runs;
      start.hidden = told.runs;
      goOn.hidden = told.runs || !told.job;
      if (told.runs) said.textContent ||= "It trains; you may close this page, it goes on.";
      if (isOver) { await loadHome(); }
      if (told.runs || told.lines.length) state.timer = setTimeout(watch, 700);
      else if (!byId("view-train").hidden) state.timer = setTimeout(watch, 3000);
    } catch (error) { fault.textContent = error.message; state.timer = setTimeout(() => { fault.textContent = ""; watch(); }, 2000); }
  }

  function show(line) {
    training.lines.push(line);
    if (training.lines.length > MOST_LINES) training.lines.splice(0, MOST_LINES / 2);
    progress.show(line);
    if (line.began) said.textContent = "The recordings are being analyzed; then it trains. You may close this page, it goes on.";
    if (line.report) showReport({ ...line.report, files: line.report.files.map((f) => ({ ...f, path: f.path.split("/").at(-1) })), left_out: line.report.left_out.map((f) => ({ ...f, path: f.path.split("/").at(-1) })) });
    if (line.said) said.textContent = line.said;
    if (line.row) {
      const { row } = line;
      const { left } = progress;
      bar.value = row.progress;
      said.textContent = `Step ${row.step}; ${left < 1 ? `${Math.round(60 * left)} s` : `${left.toFixed(1)} min`} left.`;
    }
    if (line.stopped) said.textContent = "Stopped. “Go on” begins from what was saved.";
    if (line.failed) fill(done, el("p", { class: "fault", role: "alert" }, line.failed));
    if (line.finished) {
      const m = line.metrics;
      said.textContent = `Done: ${line.steps} steps.`;
      bar.value = 1;
      fill(done, el("dl", { class: "figures" }, ...[["Loss", m.loss?.toFixed(3)], ["Pitch error", m.pitch_median_cents === null ? "none heard" : `${m.pitch_median_cents?.toFixed(1)} cents`], ["Timbre", `${m.bits_per_second?.toFixed(0)} bit/s`]].map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value ?? "–")))),
        el("p", {}, `It stands in the library as “${state.name}”: choose it in Play, in a part of a score, or for a take.`));
    }
  }

  whenChanged((what) => {
    if (what !== "home") return;
    fill(from, el("option", { value: "" }, "nothing"), presetOptions(""));
    const rows = studio.home.trainings;
    if (!state.name && rows.length) open(rows[0].name);
    else list(rows);
  });
  addEventListener("shown", ({ detail }) => { if (detail === "train") watch(); });
}
