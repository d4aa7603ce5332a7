// Record: the microphone to a WAV file of 24 bits, with a meter that says when it clips.
import { clock, el } from "./dom.js";
import { audio } from "./sound.js";

export class Recorder {
  constructor() {
    this.bar = el("i");
    this.meter = el("div", { hidden: true, class: "meter", role: "img", "aria-label": "Level of the microphone" }, this.bar);
    this.said = el("span", { class: "quiet small", role: "status" });
    this.running = false;
  }

  async start() {
    const context = await audio();
    this.media = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 } });
    await context.audioWorklet.addModule("/page/mic.js");
    this.source = context.createMediaStreamSource(this.media);
    this.node = new AudioWorkletNode(context, "mic", { numberOfInputs: 1, numberOfOutputs: 1 });
    this.blocks = [];
    this.length = 0;
    this.clipped = false;
    this.peak = 0;
    this.rate = context.sampleRate;
    this.running = true;
    this.meter.hidden = false;
    this.node.port.onmessage = ({ data }) => {
      if (!this.running) return;
      this.blocks.push(data.samples);
      this.length += data.samples.length;
      this.peak = Math.max(this.peak * 0.98, data.peak);
      if (data.peak > 0.99) this.clipped = true;
      if (this.blocks.length % 24 === 0) this.show();
    };
    this.source.connect(this.node).connect(context.destination); // silent, but it must be pulled
  }

  show() {
    const db = 20 * Math.log10(Math.max(this.peak, 1e-6));
    this.bar.style.transform = `scaleX(${Math.min(1, Math.max(0, 1 + db / 60)).toFixed(2)})`;
    this.said.textContent = `${clock(this.length / this.rate)}  peak ${db.toFixed(0)} dB${this.clipped ? ", it clips: turn it down" : db < -40 ? ", very soft" : ""}`;
  }

  // A WAV file, or null if nothing came.
  stop(name) {
    this.running = false;
    this.node?.port.postMessage({ end: true });
    this.source?.disconnect();
    for (const track of this.media?.getTracks() ?? []) track.stop();
    this.meter.hidden = true;
    this.said.textContent = "";
    return this.length ? new File([wav(this.blocks, this.length, this.rate)], name, { type: "audio/wav" }) : null;
  }
}

function wav(blocks, length, rate) {
  const bytes = new DataView(new ArrayBuffer(44 + 3 * length));
  const text = (at, word) => [...word].forEach((letter, i) => bytes.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); bytes.setUint32(4, 36 + 3 * length, true); text(8, "WAVEfmt "); bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true); bytes.setUint16(22, 1, true); bytes.setUint32(24, rate, true); bytes.setUint32(28, 3 * rate, true);
  bytes.setUint16(32, 3, true); bytes.setUint16(34, 24, true); text(36, "data"); bytes.setUint32(40, 3 * length, true);
  let at = 44;
  for (const block of blocks) {
    for (const sample of block) {
      const value = Math.max(-8388608, Math.min(8388607, Math.round(sample * 8388607)));
      bytes.setUint8(at, value & 255); bytes.setUint8(at + 1, (value >> 8) & 255); bytes.setUint8(at + 2, (value >> 16) & 255);
      at += 3;
    }
  }
  return bytes.buffer;
}

// A button that records, and gives the file to whoever wants it.
export function recordButton(recorder, label, name, take) {
  const fault = el("span", { class: "fault", role: "alert" });
  const button = el("button", { type: "button", onclick: async () => {
    fault.textContent = "";
    try {
      if (!recorder.running) { await recorder.start(); button.textContent = "Stop"; button.classList.add("recording"); return; }
      const file = recorder.stop(name());
      button.textContent = label;
      button.classList.remove("recording");
      button.disabled = true;
      if (file) await take(file);
    } catch (error) { fault.textContent = error.name === "NotAllowedError" ? "The browser does not give the microphone; allow it for this address." : error.message; }
    button.disabled = false;
  } }, label);
  return { button, fault };
}
