import { byId, el, fill } from "./dom.js";
export function buildTrain() { fill(byId("view-train"), el("h1", { id: "train-title" }, "Train")); }
