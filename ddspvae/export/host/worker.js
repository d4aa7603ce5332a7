// Plays curves on an exported instrument, off the page's own thread: onnxruntime-web does not run inside an AudioWorklet.
// In:  {f0_hz, periodicity, loudness_db: Float32Array [F], z: Float32Array [F * Z], seed}
// Out: {audio: Float32Array [(F - 1) * hop_size], seconds}, or {error}
const RUNTIME = new URL("node_modules/onnxruntime-web/dist/", location.href).href;
importScripts(RUNTIME + "ort.wasm.min.js");
ort.env.wasm.wasmPaths = RUNTIME;
ort.env.wasm.numThreads = 1; // more want pages that are isolated from other origins

const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array };

function mixBits(x) {
  for (let round = 0; round < 2; round++) x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return (x ^ (x >>> 16)) >>> 0;
}

// White noise of unit power that depends on the place alone.
function white(key, start, samples) {
  const noise = new Float32Array(samples);
  for (let i = 0; i < samples; i++) {
    const place = start + i, high = Math.floor(place / 2 ** 32) >>> 0;
    const bits = mixBits((mixBits((place >>> 0) ^ mixBits(high)) + key) >>> 0);
    noise[i] = Math.fround((bits | 0) >> 8) * Math.fround(Math.sqrt(3) / 2 ** 23);
  }
  return noise;
}

let opened = null;

async function open() {
  const card = await (await fetch("instrument.json")).json();
  const session = await ort.InferenceSession.create("frame.onnx", { executionProviders: ["wasm"] });
  return { card, session };
}

async function play({ f0_hz, periodicity, loudness_db, z, seed }) {
  opened = opened || open();
  const { card, session } = await opened;
  const hop = card.hop_size, taps = card.white_samples, axes = card.axes.length, frames = f0_hz.length;
  const number = (value) => new ort.Tensor("float32", Float32Array.of(value), [1, 1, 1]);
  const state = {};
  for (const { name, shape, dtype } of card.state) {
    state[name] = new ort.Tensor(dtype, new ARRAYS[dtype](shape.reduce((a, b) => a * b, 1)), [1, ...shape]);
  }
  const key = mixBits(mixBits(seed >>> 0)), audio = new Float32Array((frames - 1) * hop);
  const began = performance.now();
  for (let frame = 0; frame < frames; frame++) {
    const noise = white(key, (frame - 1) * hop - (taps - hop) / 2, taps);
    const played = await session.run({
      f0_hz: number(f0_hz[frame]), periodicity: number(periodicity[frame]), loudness_db: number(loudness_db[frame]),
      after_hz: number(f0_hz[Math.min(frame + 1, frames - 1)]),
      z: new ort.Tensor("float32", z.slice(frame * axes, (frame + 1) * axes), [1, 1, axes]),
      white: new ort.Tensor("float32", noise, [1, taps]), ...state,
    });
    for (const { name } of card.state) state[name] = played["next_" + name];
    if (frame > 0) audio.set(played.audio.data, (frame - 1) * hop);
  }
  return { audio, seconds: (performance.now() - began) / 1000 };
}

onmessage = async ({ data }) => {
  try {
    const result = await play(data);
    postMessage(result, [result.audio.buffer]);
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
