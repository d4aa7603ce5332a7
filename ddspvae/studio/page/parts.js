// Who plays each part, and how it stands in the mix.
import { el, fill, signed, slider, unique } from "./dom.js";
import { side } from "./lanes.js";
import { studio } from "./state.js";

export function presetOptions(value) {
  const rows = studio.home?.instruments ?? [];
  const options = rows.map((one) => el("option", { value: one.preset, selected: one.preset === value }, one.name.replaceAll("-", " ") + (one.own ? " (yours)" : "")));
  if (value && !rows.some((one) => one.preset === value)) options.push(el("option", { value, selected: true }, value.split("/").at(-1).replaceAll("-", " ")));
  return options;
}

function mini(label, { min, max, step, value, show, change }) {
  const id = unique("mini");
  const range = el("input", { type: "range", id, min: String(min), max: String(max), step: String(step), "aria-valuetext": show(value), title: show(value), onchange: (event) => change(Number(event.target.value)) });
  range.value = value;
  return el("label", { class: "mini", for: id }, label, range);
}


export function partRows(parts, chosen, choose, change) {
  return parts.map((part) => {
    const name = part.name || `Part ${part.number + 1}`;
    const toggle = (label, which, title) => el("button", { type: "button", class: "toggle", "aria-pressed": String(part[which]), "aria-label": `${title} ${name}`, title, onclick: () => change(part.number, { [which]: !part[which] }) }, label);
    return el("div", { class: `part${part.number === chosen ? " chosen" : ""}`, role: "group", "aria-label": name },
      el("button", { type: "button", class: "name", "aria-pressed": String(part.number === chosen), onclick: () => choose(part.number) }, name),
      el("select", { "aria-label": `Who plays ${name}`, onchange: (event) => change(part.number, { preset: event.target.value }) }, presetOptions(part.preset)),
      mini("Level", { min: -30, max: 12, step: 0.5, value: part.level_db, show: (v) => `${signed(1)(v)} dB`, change: (level_db) => change(part.number, { level_db }) }),
      mini(part.pans.length > 1 ? "Pan, moves" : "Pan", { min: 0, max: 1, step: 0.01, value: part.pan, show: side, change: (pan) => change(part.number, { pan }) }),
      el("div", { class: "toggles" }, toggle("M", "mute", "Mute"), toggle("S", "solo", "Solo")));
  });
}

export class PartPanel {
  constructor(change) {
    this.change = change;
    this.element = el("section", { class: "sheet" });
  }

  show(part) {
    const many = (studio.home?.instruments ?? []).find((one) => one.timbres.length);
    const between = { first: many?.timbres[0], second: many?.timbres[1], sign: "+" };
    const pick = (which, label) => el("label", {}, label, el("select", { onchange: (event) => { between[which] = event.target.value; } },
      many.timbres.map((name) => el("option", { value: name, selected: name === between[which] }, name.replaceAll("-", " ")))));
    fill(this.element, el("h2", {}, part.name || `Part ${part.number + 1}`),
      el("div", { class: "fields" },
        el("label", {}, "Performer", el("select", { onchange: (event) => this.change({ performer: event.target.value || null }) },
          el("option", { value: "", selected: !part.performer }, "learned"), el("option", { value: "rules", selected: part.performer === "rules" }, "rules"))),
        el("label", {}, "Seed", el("input", { type: "number", min: "0", max: "2147483647", step: "1", value: part.seed ?? "", placeholder: "likeliest", onchange: (event) => this.change({ seed: event.target.value === "" ? null : Number(event.target.value) }) }))),
      slider({ label: "Expression", hint: "deadpan to exaggerated", min: 0, max: 2, step: 0.05, value: part.expression, show: (v) => v.toFixed(2), change: (expression) => this.change({ expression }) }),
      part.n_lines > 1 ? el("p", { class: "quiet small" }, `${part.n_lines} voices; the curves are those of the voice of the chosen note.`) : null,
      many ? el("details", {}, el("summary", {}, "Between two instruments"),
        el("div", { class: "fields" }, pick("first", "From"), pick("second", "To"),
          el("label", {}, "How", el("select", { onchange: (event) => { between.sign = event.target.value; } }, el("option", { value: "+" }, "halfway"), el("option", { value: ".." }, "turning over the piece"))),
          el("div", { class: "field" }, el("span", {}, " "), el("button", { type: "button", onclick: () => this.change({ preset: `${many.preset}:${between.first}${between.sign}${between.second}` }) }, "Let it play")))) : null);
  }
}
