// A and B: versions that were kept, equally loud, in the open or blind.
import { el, fill } from "./dom.js";
import { ask, send, studio, whenChanged } from "./state.js";

export function buildCompare(transport, viewport) {
  let versions = [];
  let blind = null;
  const label = el("input", { type: "text", "aria-label": "Name of this version", placeholder: "Name, or nothing", maxlength: "40" });
  const list = el("div", { class: "versions" });
  const fault = el("p", { class: "fault", role: "alert" });
  const hear = (version) => transport.play(transport.playing ? viewport.playhead : Math.max(0, viewport.playhead), undefined, { kind: "version", id: version.id, gain_db: version.gain_db });

  function draw() {
    if (blind) {
      fill(list, el("p", { class: "quiet small" }, "Two versions, in an order that only the page knows. Listen, then choose."), ...blind.map((version, i) => el("div", { class: "version" },
        el("b", {}, i ? "Y" : "X"), el("div", { class: "row" }, el("button", { type: "button", onclick: () => hear(version) }, "Hear"),
          el("button", { type: "button", onclick: () => { const [won, other] = [version.label, blind[1 - i].label]; blind = null; draw(); fault.textContent = ""; list.prepend(el("p", { role: "status" }, `You chose “${won}” over “${other}”.`)); } }, "Better")))));
      return;
    }
    fill(list, versions.length ? versions.map((version) => el("div", { class: "version" }, el("span", {}, version.label, el("span", { class: "quiet small" }, ` ${version.gain_db ? version.gain_db.toFixed(1) : "0"} dB`)),
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => hear(version), "aria-label": `Hear ${version.label}` }, "Hear"),
        el("button", { type: "button", class: "plain", onclick: () => change({ forget: version.id }), "aria-label": `Remove ${version.label}` }, "Remove")))) : el("p", { class: "quiet small" }, "Keep how it sounds now, change something (who plays, the seed, a curve), keep that, and compare: all are played equally loud."),
    versions.length > 1 ? el("button", { type: "button", onclick: () => { blind = versions.slice(-2).sort(() => Math.random() - 0.5); draw(); } }, "Compare the last two blind") : null);
  }

  const form = el("form", { class: "row" }, label, el("button", { type: "submit" }, "Keep"));
  async function change(content) {
    fault.textContent = "";
    try { versions = await send("/versions", content); label.value = ""; draw(); } catch (error) { fault.textContent = error.message; }
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change({ label: label.value || `version ${versions.length + 1}` });
  });
  whenChanged(async (what) => {
    if (what !== "project") return;
    const { project } = studio;
    versions = [];
    blind = null;
    draw();
    try {
      const found = await ask("/versions"); // those that were kept before are in the project's folder
      if (project === studio.project) { versions = found; draw(); }
    } catch (error) { fault.textContent = error.message; }
  });
  draw();
  studio.compare = () => versions;
  return el("section", { class: "sheet" }, el("h2", {}, "Compare"), el("div", { class: "stack" }, form, list), fault);
}
