// The worklet: a ring of samples, asked for in blocks as they are used up.

class Ring extends AudioWorkletProcessor {
  constructor(options) {
    super();
    const { channels, block, least, most } = options.processorOptions;
    this.channels = channels;
    this.block = block;
    this.least = least;
    this.most = most;
    this.target = least; // samples ahead: more after a gap, less where some were never needed
    this.low = least; // what was too few is not tried again for a while, after each gap for twice as long
    this.hold = 20;
    this.since = 0; // samples since the last gap, or since it was forgotten
    this.spare = Infinity; // the fewest that were left after a block of the device, in the last seconds
    this.blocks = []; // { samples, mark, at, used }
    this.filled = 0;
    this.asked = 0;
    this.running = false;
    this.gaps = 0;
    this.calm = 0;
    this.fresh = false;
    this.peak = 0;
    this.ticks = 0;
    this.port.onmessage = ({ data }) => {
      if (data.pipe) {
        this.pipe = data.pipe;
        this.pipe.onmessage = (message) => this.take(message.data);
      }
      if ("run" in data) { this.running = data.run; if (!data.run) { this.blocks = []; this.filled = 0; } }
    };
  }

  take(data) {
    if (data.reset) { this.asked = 0; this.blocks = []; this.filled = 0; return; }
    if (data.flush) { this.blocks = []; this.filled = 0; this.fresh = true; this.running = true; this.gaps = 0; return; }
    this.asked = Math.max(0, this.asked - 1);
    if (data.ended) { if (this.running) this.port.postMessage({ ended: true }); this.running = false; return; }
    this.blocks.push({ samples: data.samples, mark: data.mark, at: data.at, used: 0 });
    this.filled += data.samples.length / this.channels;
  }

  process(inputs, outputs) {
    const out = outputs[0];
    const n = out[0].length;
    let written = 0;
    while (written < n && this.blocks.length) {
      const first = this.blocks[0];
      const left = first.samples.length / this.channels - first.used;
      const take = Math.min(left, n - written);
      if (first.mark && !first.used) this.port.postMessage({ mark: first.mark, clock: Date.now() });
      if (this.fresh) { this.fresh = false; this.port.postMessage({ first: first.at ?? 0, clock: Date.now() }); }
      for (let channel = 0; channel < out.length; channel += 1) {
        const from = Math.min(channel, this.channels - 1);
        for (let i = 0; i < take; i += 1) {
          const sample = first.samples[(first.used + i) * this.channels + from];
          out[channel][written + i] = sample;
          if (Math.abs(sample) > this.peak) this.peak = Math.abs(sample);
        }
      }
      first.used += take;
      this.position = first.at === undefined ? undefined : first.at + first.used / sampleRate;
      written += take;
      if (take === left) this.blocks.shift();
    }
    this.filled -= written;
    if (this.running && written < n && this.started) {
      this.gaps += 1;
      this.low = Math.min(this.most, this.target + this.block);
      this.target = Math.min(this.most, this.target + 2 * this.block);
      if (this.since < this.hold * sampleRate) this.hold = Math.min(320, 2 * this.hold);
      this.since = 0;
      this.calm = 0;
      this.spare = Infinity;
      this.started = false;
    } else if (this.running && written === n) {
      this.started = true;
      this.calm += n;
      this.since += n;
      this.spare = Math.min(this.spare, this.filled);
      if (this.since > this.hold * sampleRate && this.low > this.least) {
        this.low -= this.block;
        this.since = 0;
      }
      if (this.calm > 3 * sampleRate) {
        if (this.spare >= 1.5 * this.block) {
          const blocks = Math.max(1, Math.floor((this.spare / this.block - 1) / 2));
          this.target = Math.max(this.low, this.target - blocks * this.block);
        }
        this.calm = 0;
        this.spare = Infinity;
      }
    }
    if (this.running && this.pipe) {
      while (this.filled + this.asked * this.block < this.target) { this.asked += 1; this.pipe.postMessage(1); }
    }
    this.ticks += 1;
    if (this.ticks % 12 === 0) {
      this.port.postMessage({ peak: this.peak, gaps: this.gaps, buffered: this.target / sampleRate, position: this.position, running: this.running });
      this.peak = 0;
    }
    return true;
  }
}
registerProcessor("ring", Ring);
