// The stretch of time that the roll and its curves show.

export class Viewport extends EventTarget {
  constructor(length = 10) {
    super();
    this.from = 0;
    this.to = length;
    this.end = length;
    this.playhead = 0;
  }

  get length() { return this.to - this.from; }
  x(seconds, width) { return ((seconds - this.from) / this.length) * width; }
  time(x, width) { return this.from + (x / width) * this.length; }

  show(from, length = this.length) {
    length = Math.min(Math.max(length, 0.5), Math.max(this.end + 2, 4));
    from = Math.min(Math.max(from, 0), Math.max(0, this.end + 2 - length));
    if (from === this.from && from + length === this.to) return;
    this.from = from;
    this.to = from + length;
    this.dispatchEvent(new Event("moved"));
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    const length = Math.min(Math.max(this.length * factor, 0.5), Math.max(this.end + 2, 4));
    const share = (around - this.from) / this.length;
    this.show(around - share * length, length);
  }

  put(playhead) {
    this.playhead = playhead;
    if (playhead < this.from || playhead > this.to) this.show(playhead - 0.1 * this.length);
    this.dispatchEvent(new Event("playhead"));
  }

  wheel(event, width) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) this.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, this.time(event.offsetX, width));
    else this.show(this.from + ((event.deltaX || event.deltaY) / width) * this.length);
  }
}
