// The worklet that records: blocks of what the microphone hears, and how loud.

class Mic extends AudioWorkletProcessor {
  constructor() {
    super();
    this.on = true;
    this.port.onmessage = ({ data }) => { if (data.end) this.on = false; };
  }

  process(inputs) {
    const heard = inputs[0][0];
    if (heard) {
      let peak = 0;
      for (const sample of heard) if (Math.abs(sample) > peak) peak = Math.abs(sample);
      this.port.postMessage({ samples: heard.slice(), peak });
    }
    return this.on;
  }
}
registerProcessor("mic", Mic);
