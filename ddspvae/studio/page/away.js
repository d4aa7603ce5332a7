import { byId, el, fill } from "./dom.js";
export function buildAway() { fill(byId("view-away"), el("h1", { id: "away-title" }, "Away")); }
