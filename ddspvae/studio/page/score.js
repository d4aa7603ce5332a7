// Score: parts, a piano roll, and under it the curves that the performer decided, all to be changed and heard at once.
import { buildCompare } from "./compare.js";
import { byId, clock, dropZone, el, fill, pitchName, tell } from "./dom.js";
import { Lanes } from "./lanes.js";
import { NotePanel } from "./note.js";
import { PartPanel, partRows } from "./parts.js";
import { Roll } from "./roll.js";
import { addFile, ask, edit, studio, whenChanged } from "./state.js";
import { NoteTable } from "./table.js";
import { Transport } from "./transport.js";
import { Viewport } from "./viewport.js";

const SCORES = ".mid,.midi,.kar,.rmi,.csv,.musicxml,.mxl,.xml,.mei";
export const score = { part: 0, line: 0, note: null };
globalThis.score = score;
let built = null;

export function buildScore() {
  const viewport = new Viewport();
  const fault = el("p", { class: "fault", role: "alert" });
  const attempt = async (work) => { fault.textContent = ""; try { await work(); } catch (error) { fault.textContent = error.message; } };
  const transport = new Transport(viewport, () => ({ kind: "score" }), "score");
  const audition = (from, to) => {
    studio.lastEdit.waits = true;
    if (!transport.playing) transport.play(Math.max(0, from - 0.08), to + 0.4);
    else studio.lastEdit.waits = false;
  };
  const acts = {
    select: (note) => { score.note = note?.id ?? null; if (note) { score.line = note.line; lanes.propose(note.onset_s, note.offset_s); } notePanel.show(note); lanes.load(); },
    change: (note, changes) => attempt(async () => {
      const later = { ...note, ...changes };
      await edit({ do: "note", note: note.id, ...changes }, () => audition(later.onset_s, later.offset_s), later.onset_s);
      const now = roll.find(note.id);
      if (now) { tell(`${pitchName(now.pitch)} at ${clock(now.onset_s)}, ${(now.offset_s - now.onset_s).toFixed(2)} seconds long.`); }
    }),
    add: (pitch, onset, offset) => attempt(async () => {
      const id = `${score.part}.new.${Date.now().toString(36)}`;
      await edit({ do: "add", part: score.part, note: id, pitch, velocity: 80, onset_s: Number(onset.toFixed(4)), offset_s: Number(offset.toFixed(4)) }, () => audition(onset, offset), onset);
      roll.select(id);
    }),
    remove: (note) => attempt(async () => { await edit({ do: "remove", note: note.id }, () => audition(note.onset_s, note.offset_s), note.onset_s); roll.select(null); tell(`${pitchName(note.pitch)} is removed.`); }),
    controls: (note, values) => attempt(async () => { await edit({ do: "controls", note: note.id, values }, () => audition(note.onset_s, note.offset_s), note.onset_s); }),
    seek: (seconds) => transport.seek(seconds),
    play: (note) => transport.play(note.onset_s, note.offset_s + 0.3),
  };
  const roll = new Roll(viewport, acts);
  const lanes = new Lanes(viewport, {
    load: (from, to, points) => ask("/curves", { part: score.part, line: score.line, from_s: from, to_s: to, points }),
    draw: (curve, times, values, erase) => attempt(async () => {
      await edit({ do: "draw", part: score.part, line: score.line, curve, time_s: times, ...(erase ? { erase: true } : { values }) }, () => audition(times[0], times.at(-1)), times[0]);
    }),
  });
  const notePanel = new NotePanel(acts);
  const partPanel = new PartPanel((values) => attempt(() => edit({ do: "part", part: score.part, values })));
  const table = new NoteTable(acts, (id) => roll.select(id));
  const parts = el("div", { class: "parts" });
  const zoom = el("div", { class: "row" },
    el("button", { type: "button", class: "plain", onclick: () => viewport.show(viewport.from - 0.5 * viewport.length) }, "Earlier"),
    el("button", { type: "button", class: "plain", onclick: () => viewport.show(viewport.from + 0.5 * viewport.length) }, "Later"),
    el("button", { type: "button", class: "plain", onclick: () => viewport.zoom(1 / 1.5) }, "Zoom in"),
    el("button", { type: "button", class: "plain", onclick: () => viewport.zoom(1.5) }, "Zoom out"));
  const add = dropZone({ title: "Add a score", text: "Drop another score to add its parts.", accept: SCORES, compact: true, take: addFile });
  const work = el("div", {},
    el("section", { class: "sheet" }, el("div", { class: "row spread" }, el("h2", {}, "Parts")), parts),
    el("div", { class: "editor" },
      el("div", { class: "stack" },
        el("section", { class: "sheet", "aria-label": "Notes and curves" }, el("div", { class: "row spread" }, transport.element, zoom), fault,
          el("div", { class: "lanes" }, roll.element), lanes.element),
        el("section", { class: "sheet" }, table.element)),
      el("div", { class: "stack" }, notePanel.element, partPanel.element, buildCompare(transport, viewport), el("section", { class: "sheet" }, el("h2", {}, "More"), add))));
  const empty = dropZone({
    title: "Drop a MIDI file or a score here", accept: SCORES, take: addFile,
    text: "Every part gets the nearest instrument. Then draw over what the performer decided, drag notes, and hear it at once. A table of notes (.csv) is read, too.",
  });
  fill(byId("view-score"), el("header", {}, el("div", {}, el("h1", { id: "score-title" }, "Score"), el("p", { class: "lede" }, "See what the performer decided, and change it."))), empty, work);

  let shown = ""; // of the desk, which is built anew only when it has changed
  const refresh = (what) => {
    if (!["view", "project", "home"].includes(what)) return;
    const has = Boolean(studio.view?.parts.length);
    empty.hidden = has;
    work.hidden = !has;
    if (!has) return;
    score.part = Math.min(score.part, studio.view.parts.length - 1);
    const part = studio.view.parts[score.part];
    score.line = Math.min(score.line, part.n_lines - 1);
    viewport.end = studio.view.duration_s;
    if (what === "project") {
      viewport.show(0, Math.min(Math.max(studio.view.duration_s, 4), 12));
      viewport.put(0);
      roll.selected = null;
      score.note = null;
    }
    roll.show(studio.view.parts, score.part);
    const desk = JSON.stringify([score.part, studio.home?.instruments, studio.view.parts.map((one) => ({ ...one, notes: 0, canvas: 0 }))]);
    if (desk !== shown) {
      shown = desk;
      fill(parts, partRows(studio.view.parts, score.part, (number) => { score.part = number; score.line = 0; roll.select(null); refresh("view"); },
        (number, values) => attempt(() => edit({ do: "part", part: number, values }))));
      partPanel.show(part);
    }
    notePanel.show(roll.find(score.note) ?? null);
    table.show(score.part, part.n_lines, score.line);
    lanes.load();
    transport.watch();
  };
  whenChanged(refresh);
  addEventListener("shown", ({ detail }) => { if (detail === "score") refresh("view"); });
  built = { roll, lanes, viewport, transport };
  globalThis.scoreParts = built;
}
