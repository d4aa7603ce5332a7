// Two players over one audio context: one for what is played now, one for what is rendered.
import { socketAddress } from "./api.js";

let context = null;
let loaded = null;
let tries = 0;

export async function audio() {
  context ??= new AudioContext({ sampleRate: 48000, latencyHint: 0 });
  loaded ??= context.audioWorklet.addModule(`/page/ring.js?${tries}`); // one that failed is not asked for again by its name
  try { await loaded; } catch {
    loaded = null;
    tries += 1; // the server was ended just then; the next time it may be there
    throw new Error("The studio's server does not answer. Start it again; nothing that was saved is lost.");
  }
  if (context.state !== "running") await context.resume();
  return context;
}

// A time of the worklet's clock, on that of performance.now().
export const onPage = (clock) => clock - (Date.now() - performance.now());

export class Player extends EventTarget {
  constructor(path, layout, options) {
    super();
    this.options = options;
    this.worker = new Worker("/page/pipe.js");
    this.layout = layout;
    this.address = socketAddress(path);
    this.node = null;
    this.worker.onmessage = ({ data }) => {
      if ("open" in data) this.tell("open", data.open);
      else this.tell("content", data.content);
    };
  }

  tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  async ready() {
    const own = await audio();
    if (this.node) return;
    this.node = new AudioWorkletNode(own, "ring", { numberOfInputs: 0, outputChannelCount: [2], processorOptions: this.options });
    const channel = new MessageChannel();
    this.node.port.onmessage = ({ data }) => this.tell("ring", data);
    this.node.port.postMessage({ pipe: channel.port1 }, [channel.port1]);
    this.worker.postMessage({ address: this.address, layout: this.layout, pipe: channel.port2 }, [channel.port2]);
    this.node.connect(own.destination);
  }

  run(on) { this.node?.port.postMessage({ run: on }); }
  send(content, keep = false) { this.worker.postMessage({ send: content, keep }); }
  get outputDelay() { return context ? (context.outputLatency || context.baseLatency || 0) : 0; }
}

export const live = new Player("/api/play", "marked", { channels: 1, block: 256, least: 1024, most: 6144 });
export const deck = new Player("/api/listen", "placed", { channels: 2, block: 1024, least: 4096, most: 16384 });
