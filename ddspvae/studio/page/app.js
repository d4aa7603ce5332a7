// The frame: which view is shown, which project is open, light or dark.
import { buildAway } from "./away.js";
import { byId, el, fill, tell } from "./dom.js";
import { buildPlay } from "./play.js";
import { buildScore } from "./score.js";
import { createProject, loadHome, openProject, redo, studio, undo, watchServer, whenChanged } from "./state.js";
import { buildTake } from "./take.js";
import { buildTrain } from "./train.js";

const VIEWS = ["play", "score", "take", "train", "away"];

function showView() {
  const name = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "play";
  for (const view of VIEWS) byId(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${byId(`${name}-title`)?.textContent ?? "studio"} · ddspvae studio`;
  dispatchEvent(new CustomEvent("shown", { detail: name }));
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
  dispatchEvent(new Event("theme"));
}

export async function guarded(work) {
  try { await work(); byId("banner").hidden = true; } catch (error) {
    byId("banner").textContent = error.message;
    byId("banner").hidden = false;
  }
}

function listProjects() {
  const names = (studio.home?.projects ?? []).map((project) => project.name);
  fill(byId("project"), studio.project ? null : el("option", { value: "" }, names.length ? "Choose…" : "None yet"),
    names.map((name) => el("option", { value: name, selected: name === studio.project }, name)));
  if (studio.project) byId("project").value = studio.project;
}

function buildTop() {
  byId("project").addEventListener("change", (event) => { if (event.target.value) guarded(() => openProject(event.target.value)); });
  byId("new-project").addEventListener("click", () => {
    const input = el("input", { type: "text", "aria-label": "Name of the new project", maxlength: "60", placeholder: "Name" });
    const form = el("form", { class: "row" }, input, el("button", { type: "submit", class: "main" }, "Make"), el("button", { type: "button", class: "plain", onclick: () => done() }, "Cancel"));
    const done = () => { form.replaceWith(byId("new-project") ?? button); button.hidden = false; button.focus(); };
    const button = byId("new-project");
    button.hidden = true;
    button.after(form);
    input.focus();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      guarded(async () => { await createProject(input.value); tell(`${studio.project} is open.`); form.remove(); button.hidden = false; });
    });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") { form.remove(); button.hidden = false; button.focus(); } });
    form.querySelector(".plain").onclick = () => { form.remove(); button.hidden = false; button.focus(); };
  });
  byId("undo").addEventListener("click", () => guarded(undo));
  byId("redo").addEventListener("click", () => guarded(redo));
  byId("theme").addEventListener("click", () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", name);
    theme(name);
  });
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.matches("input[type=text], input[type=number]")) return;
    event.preventDefault();
    guarded(event.shiftKey ? redo : undo);
  });
  const refresh = () => {
    byId("undo").disabled = !studio.view?.edits;
    byId("redo").disabled = !studio.view?.undone;
  };
  whenChanged((what) => { if (what === "home" || what === "project") listProjects(); refresh(); });
  refresh();
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
  theme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
}

buildTop();
buildPlay();
buildScore();
buildTake();
buildTrain();
buildAway();
addEventListener("hashchange", () => { showView(); byId("main").focus({ preventScroll: true }); });
showView();
guarded(async () => {
  await loadHome();
  const last = localStorage.getItem("project");
  const names = studio.home.projects.map((project) => project.name);
  if (names.includes(last)) await openProject(last);
  else if (names.length) await openProject(names[0]);
  document.documentElement.dataset.ready = "true";
}).then(() => setTimeout(watchServer, 2500));
