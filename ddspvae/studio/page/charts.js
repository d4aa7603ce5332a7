// One curve of a training.
import { canvas, colour, el } from "./dom.js";

const MOST_ROWS = 4000;

export function chart(title, unit, digits = 2) {
  const rows = [];
  const value = el("b", {}, "–");
  const drawing = canvas(110, (context, width, tall) => {
    context.strokeStyle = colour("rule");
    context.lineWidth = 1;
    for (const part of [0.25, 0.5, 0.75]) { context.beginPath(); context.moveTo(0, Math.round(tall * part) + 0.5); context.lineTo(width, Math.round(tall * part) + 0.5); context.stroke(); }
    if (rows.length < 1) return;
    const ys = rows.map(([, y]) => y).sort((a, b) => a - b);
    const [low, high] = [ys[Math.floor(0.01 * ys.length)], ys[Math.min(ys.length - 1, Math.ceil(0.98 * ys.length))]];
    const span = Math.max(high - low, Math.abs(high) * 0.02, 1e-6);
    const last = Math.max(rows.at(-1)[0], 1);
    context.strokeStyle = colour("curve");
    context.lineWidth = 1.8;
    context.beginPath();
    const step = Math.max(1, Math.floor(rows.length / 600));
    rows.forEach(([x, y], i) => {
      if (i % step && i < rows.length - 1) return;
      const [px, py] = [(x / last) * (width - 8) + 4, tall - 8 - ((Math.min(high, Math.max(low, y)) - low) / span) * (tall - 16)];
      if (i) context.lineTo(px, py); else context.moveTo(px, py);
    });
    context.stroke();
    if (rows.length === 1) { context.fillStyle = colour("curve"); context.fillRect(2, tall / 2 - 2, 4, 4); }
    context.fillStyle = colour("quiet");
    context.font = "11px sans-serif";
    context.fillText(high.toFixed(digits), 4, 12);
    context.fillText(low.toFixed(digits), 4, tall - 4);
  }, { role: "img", "aria-label": title });
  const element = el("figure", { class: "chart" }, el("figcaption", {}, title, value), drawing);
  element.add = (x, y) => {
    if (y === null || y === undefined || !Number.isFinite(y)) return;
    rows.push([x, y]);
    if (rows.length > MOST_ROWS) for (let i = rows.length - 2; i > 0; i -= 2) rows.splice(i, 1); // every other one is enough
    value.textContent = `${y.toFixed(digits)} ${unit}`;
    drawing.setAttribute("aria-label", `${title}: now ${value.textContent}, over ${rows.length} points`);
  };
  element.clear = () => { rows.length = 0; value.textContent = "–"; drawing.redraw(); };
  element.redraw = () => drawing.redraw();
  element.rows = rows;
  return element;
}
