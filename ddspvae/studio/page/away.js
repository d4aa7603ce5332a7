// Take it away: every form in which the work leaves the studio.
import { byId, el, fill } from "./dom.js";
import { send, studio, whenChanged } from "./state.js";

const FORMS = [
  ["WAV", "The mix, as it is heard.", [["16 bit", { kind: "wav" }], ["24 bit", { kind: "wav", bit_depth: "24" }], ["32 bit float", { kind: "wav", bit_depth: "float" }]], "parts"],
  ["FLAC", "The mix, smaller, nothing lost.", [["16 bit", { kind: "flac" }], ["24 bit", { kind: "flac", bit_depth: "24" }]], "parts"],
  ["OGG", "The mix, small, to send around.", [["Write", { kind: "ogg" }]], "parts"],
  ["Stems", "Every part to a file of its own; together they are the mix.", [["Write", { kind: "stems" }]], "parts"],
  ["MIDI", "The notes as they are now.", [["Write", { kind: "midi" }]], "parts"],
  ["Note tables", "A row a note with its six controls, for a spreadsheet; ddspvae render plays it.", [["Write", { kind: "table" }]], "parts"],
  ["Performances", "Every curve of every voice (.npz); ddspvae render plays them.", [["Write", { kind: "performance" }]], "parts"],
];
const OF_TAKE = [
  ["Sound", "As it is played now.", [["WAV", { kind: "wav" }], ["FLAC", { kind: "flac" }]]],
  ["Notes", "What was played, as MIDI, with its dynamics and bends.", [["MIDI", { kind: "take-midi" }]]],
  ["Performance", "All its curves (.npz).", [["Write", { kind: "take-performance" }]]],
];

export function buildAway() {
  const score = el("div", { class: "cards" });
  const takes = el("div", { class: "stack" });
  const presets = el("div", { class: "scroll" });
  const folder = el("code");
  const empty = el("p", { class: "quiet" }, "There is no score in this project yet: drop a MIDI file on the view Score, or record one on the view Play.");
  fill(byId("view-away"),
    el("header", {}, el("div", {}, el("h1", { id: "away-title" }, "Take it away"), el("p", { class: "lede" }, "Everything you made is in plain files, and the command line renders the same."))),
    el("section", { class: "sheet" }, el("h2", {}, "The score"), empty, score), takes,
    el("section", { class: "sheet" }, el("h2", {}, "Instruments"), el("p", { class: "quiet" }, "One file each, to be played anywhere with ddspvae."), presets),
    el("section", { class: "sheet" }, el("h2", {}, "The project itself"), el("p", {}, "A folder that is saved with every edit: ", folder), el("p", { class: "quiet small" }, "Render it with: ddspvae render FOLDER --out song.wav")));

  const card = ([title, text, ways], more = {}) => {
    const links = el("ul", { class: "links" });
    const fault = el("p", { class: "fault", role: "alert" });
    const status = el("span", { class: "quiet small", role: "status" });
    const buttons = ways.map(([label, content]) => el("button", { type: "button", "aria-label": `${title}: ${label}`, onclick: async () => {
      fault.textContent = "";
      status.textContent = "Writing…";
      for (const button of buttons) button.disabled = true;
      try {
        const { files } = await send("/export", { ...content, ...more });
        fill(links, files.map((name) => el("li", {}, el("a", { href: `/api/projects/${encodeURIComponent(studio.project)}/exports/${name.split("/").map(encodeURIComponent).join("/")}`, download: name.split("/").at(-1) }, name.split("/").at(-1)))));
      } catch (error) { fault.textContent = error.message; }
      status.textContent = "";
      for (const button of buttons) button.disabled = false;
    } }, label));
    return el("div", { class: "card" }, el("h3", {}, title), el("p", { class: "quiet small" }, text), el("div", { class: "row" }, buttons, status), links, fault);
  };

  let shown = "";
  const refresh = () => {
    const view = studio.view;
    const now = JSON.stringify([studio.project, view?.parts.length, view?.takes.map((take) => take.name)]);
    if (now === shown) return;
    shown = now;
    const parts = view?.parts.length ?? 0;
    empty.hidden = parts > 0;
    fill(score, parts ? FORMS.map((form) => card(form)) : null);
    fill(takes, view?.takes.map((take) => el("section", { class: "sheet" }, el("h2", {}, take.name), el("div", { class: "cards" }, OF_TAKE.map((form) => card(form, { take: take.number }))))) ?? null);
    folder.textContent = studio.project && studio.home ? `${studio.home.folder}/projects/${studio.project}` : "none is open";
  };
  whenChanged((what) => {
    if (what === "home") {
      fill(presets, el("table", {}, el("thead", {}, el("tr", {}, ["Name", "Minutes heard", "Licence of the recordings", "File"].map((h) => el("th", { scope: "col" }, h)))),
        el("tbody", {}, studio.home.instruments.map((one) => el("tr", {}, el("th", { scope: "row" }, el("span", { class: "name-capital" }, one.name.replaceAll("-", " ")), one.own ? " (yours)" : ""), el("td", {}, one.minutes.toFixed(1)), el("td", {}, (one.licence ?? []).join(", ") || "yours"),
          el("td", {}, el("a", { href: `/api/preset?${new URLSearchParams({ preset: one.preset })}`, download: `${one.name}.safetensors`, "aria-label": `Save ${one.name}` }, "Save")))))));
    }
    refresh();
  });
  refresh();
}
