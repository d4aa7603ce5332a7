import { byId, el, fill } from "./dom.js";
export function buildTake() { fill(byId("view-take"), el("h1", { id: "take-title" }, "Take")); }
