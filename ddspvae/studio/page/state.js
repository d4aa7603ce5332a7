// What all views share: the instruments, the open project, and who wants to know when it changes.
import { get, post, upload } from "./api.js";
import { byId, tell } from "./dom.js";

export const studio = { home: null, project: null, view: null, lastEdit: null, figures: {} };
globalThis.studio = studio; // for the curious, and for tests

const listeners = new Set();
export function whenChanged(listener) { listeners.add(listener); }
export function changed(what) { for (const listener of listeners) listener(what); }

const path = (rest = "") => `/api/projects/${encodeURIComponent(studio.project)}${rest}`;

export async function loadHome() {
  studio.home = await get("/api/home");
  changed("home");
}

// An answer shows the whole project, or of its parts only those that have changed.
function merge(view) {
  if (!view.partial) { studio.view = view; return; }
  const fresh = new Map(view.parts.map((part) => [part.number, part]));
  studio.view = { ...view, parts: studio.view.parts.map((part) => fresh.get(part.number) ?? part) };
}

function show(view) {
  merge(view);
  byId("saved").textContent = `Saved ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })}`;
  if (view.warnings?.length) tell(view.warnings.join(" "));
  if (view.skipped?.length) tell(view.skipped.join(" "));
  changed("view");
  return view;
}

export async function openProject(name) {
  studio.project = name;
  localStorage.setItem("project", name);
  show(await get(path()));
  changed("project");
}

export async function createProject(name) {
  const view = await post("/api/projects", { name });
  studio.project = view.name;
  localStorage.setItem("project", view.name);
  show(view);
  await loadHome();
  changed("project");
}

// A project must be there before something is put into it.
export async function ensureProject(name = "My first project") {
  if (studio.project && studio.view) return;
  const taken = new Set(studio.home.projects.map((project) => project.name));
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name} ${number}`;
  await createProject(free);
}

// What is changed is listened to first, at hear_s of it, and drawn after that.
export async function edit(content, listen = null, hear_s = null) {
  const began = performance.now();
  const view = await post(path("/edits"), hear_s === null ? content : { ...content, hear_s });
  studio.lastEdit = { began, answered: performance.now(), took_s: view.took_s, changed: view.changed ?? [] };
  merge(view);
  listen?.();
  await new Promise((done) => { setTimeout(done, 0); });
  show({ ...studio.view, partial: false, warnings: view.warnings });
  changed("edit");
  return studio.view;
}

export async function undo() {
  if (!studio.view?.edits) return;
  show(await post(path("/undo")));
  tell("Undone.");
  changed("edit");
}

export async function redo() {
  if (!studio.view?.undone) return;
  show(await post(path("/redo")));
  tell("Redone.");
  changed("edit");
}

export async function addFile(file, query = {}) {
  await ensureProject();
  const name = file.name.replace(/[^\p{L}\p{N}_ .,+()&'#-]/gu, "_").replace(/^[^\p{L}\p{N}_]+/u, "") || "file";
  const view = show(await upload(path("/files"), { name, ...query }, file));
  changed("project");
  return view;
}

export const ask = (rest, query) => get(path(rest), query);
export const send = (rest, content) => post(path(rest), content);
export async function sendPlayed(notes) {
  await ensureProject();
  show(await post(path("/played"), { notes }));
  changed("project");
}

// The server may be ended and begun again at any time: the page waits for it, and opens the same project.
let away = false;
export async function watchServer() {
  try {
    await get("/api/alive");
    if (away && studio.project) { await loadHome(); await openProject(studio.project); }
    if (away) { away = false; byId("banner").hidden = true; tell("The server is back."); }
  } catch (error) {
    away = true;
    byId("banner").textContent = error.message;
    byId("banner").hidden = false;
  }
  setTimeout(watchServer, away ? 700 : 2500);
}
