// Elements, by hand: text is always text, whatever stands in a name.

export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter(Boolean));
  return element;
}

let forgetting = 0;
export function tell(sentence) {
  const told = byId("told");
  told.textContent = sentence;
  clearTimeout(forgetting);
  forgetting = setTimeout(() => { told.textContent = ""; }, 5000);
}

let serial = 0;
export const unique = (start) => `${start}-${(serial += 1)}`;

// A slider with its name, its value, and what a person reads of it.
export function slider({ label, hint, min, max, step, value, show = (v) => v, input, change }) {
  const id = unique("slider");
  const output = el("output", { for: id }, String(show(value)));
  const range = el("input", { type: "range", id, min: String(min), max: String(max), step: String(step) });
  range.value = value;
  const said = () => {
    output.textContent = show(Number(range.value));
    range.setAttribute("aria-valuetext", String(show(Number(range.value))));
  };
  said();
  range.addEventListener("input", () => { said(); input?.(Number(range.value)); });
  range.addEventListener("change", () => change?.(Number(range.value)));
  const row = el("div", { class: "slider" },
    el("label", { for: id }, label, hint ? el("span", { class: "hint" }, hint) : null), range, output);
  row.set = (next) => { range.value = next; said(); };
  row.range = range;
  return row;
}

export const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
export function pitchName(pitch) {
  const whole = Math.round(pitch);
  const cents = Math.round((pitch - whole) * 100);
  return `${NAMES[((whole % 12) + 12) % 12]}${Math.floor(whole / 12) - 1}${cents ? ` ${cents > 0 ? "+" : "−"}${Math.abs(cents)} ct` : ""}`;
}

export function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

export const signed = (digits) => (v) => (v > 0 ? "+" : v < 0 ? "−" : "") + Math.abs(v).toFixed(digits);

// Where files are dropped, or chosen by a button that a keyboard reaches.
export function dropZone({ title, text, accept, multiple = false, compact = false, take, extra = [] }) {
  const fault = el("p", { class: "fault", role: "alert" });
  const input = el("input", { type: "file", accept, multiple, class: "sr", tabindex: "-1", "aria-label": title });
  const button = el("button", { type: "button", class: compact ? "" : "main", onclick: () => input.click() }, multiple ? "Choose files" : "Choose a file");
  const zone = el("div", { class: compact ? "drop compact" : "drop" },
    compact ? null : el("h2", {}, title), el("p", { class: "quiet" }, text), el("div", { class: "row" }, button, ...extra), input, fault);
  const give = async (files) => {
    fault.textContent = "";
    for (const file of files) {
      button.disabled = true;
      try { await take(file); } catch (error) { fault.textContent = error.message; }
      button.disabled = false;
    }
    input.value = "";
  };
  input.addEventListener("change", () => give([...input.files]));
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.remove("over");
    give([...event.dataTransfer.files]);
  });
  zone.give = give;
  return zone;
}

// A canvas as sharp as the screen, drawn again when its size or the theme changes.
export function canvas(height, draw, attributes = {}) {
  const element = el("canvas", attributes);
  element.style.height = `${height}px`;
  element.redraw = () => {
    const scale = devicePixelRatio || 1;
    const width = element.clientWidth;
    if (!width) return;
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (element.width !== w || element.height !== h) { element.width = w; element.height = h; }
    const context = element.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  new ResizeObserver(() => element.redraw()).observe(element);
  addEventListener("theme", () => element.redraw());
  return element;
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
