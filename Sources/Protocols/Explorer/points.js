// Texts as points on a canvas, with as many names as have room. The pointer or the arrow keys point at
// one; a click or Enter chooses it.
class Points {
  constructor(place, { id, label, select, choose }) {
    Object.assign(this, { select, choose });
    this.frame = place.appendChild(node("div", "", "frame points"));
    this.canvas = this.frame.appendChild(document.createElement("canvas"));
    this.names = this.frame.appendChild(node("div", "", "names"));
    this.output = place.appendChild(node("p", "", "value"));
    makeReadable(this, id, label);
    this.canvas.addEventListener("click", () => this.points && this.choose(this.at));
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!this.points) return;
      if (event.key === "Enter") this.choose(this.at);
      if (!step) return;
      event.preventDefault();
      this.go((this.at + step + this.points.length) % this.points.length);
    });
    new ResizeObserver(() => this.redraw()).observe(this.frame);
    this.clear();
  }

  clear() {
    this.points = this.drawnOf = null;
    this.names.replaceChildren();
    this.canvas.width = this.canvas.height = 0;
    this.output.textContent = "\u00a0";
  }

  // points: [x, y] each; names: a text each.
  draw(points, names) {
    Object.assign(this, { points, texts: names, at: 0, shown: 0 });
    this.redraw();
  }

  // The one that the rest of the page shows.
  show(index) {
    if (!this.points) return;
    this.at = this.shown = index;
    this.redraw();
  }

  mark(index) {
    if (!this.points || index === this.at) return;
    this.at = index;
    this.redraw();
  }

  redraw() {
    const width = this.frame.clientWidth;
    if (!this.points || !width) return;
    const height = Math.min(380, Math.max(240, width * 0.6)), dense = devicePixelRatio || 1;
    this.canvas.width = width * dense;
    this.canvas.height = height * dense;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const limit = [0, 1].map((axis) => Math.max(1e-9, ...this.points.map((point) => Math.abs(point[axis]))));
    // One scale for both axes, or distances would not be comparable.
    const scale = Math.min((width / 2 - 60) / limit[0], (height / 2 - 30) / limit[1]);
    this.places = this.points.map(([x, y]) => [width / 2 + x * scale, height / 2 - y * scale]);
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this.frame);
    pen.scale(dense, dense);
    const radius = this.points.length > 100 ? 3 : 5;
    const circle = (index, size, color) => {
      pen.beginPath();
      pen.arc(...this.places[index], size, 0, 2 * Math.PI);
      pen.fillStyle = color;
      pen.fill();
    };
    this.places.forEach((_, index) => circle(index, radius, style.getPropertyValue("--point")));
    for (const index of new Set([this.shown, this.at])) {
      circle(index, radius + 4, style.getPropertyValue("--ink"));
      circle(index, radius + 2, style.getPropertyValue("--accent"));
    }
    this.drawNames(pen, style, width, height, radius);
  }

  // Names the points in turn, each on the first side where it touches no other name and no point.
  drawNames(pen, style, width, height, radius) {
    pen.font = `12px ${style.fontFamily}`;
    const room = new Room(width, height), spans = [];
    for (const [x, y] of this.places) room.take(x - radius, y - radius, 2 * radius, 2 * radius);
    for (const index of new Set([this.at, this.shown, ...this.places.keys()])) {
      if (spans.length === 40) break;
      const [x, y] = this.places[index], wide = pen.measureText(this.texts[index]).width + 6, away = radius + 6;
      const sides = [[x + away, y - 8], [x - away - wide, y - 8], [x - wide / 2, y - away - 16], [x - wide / 2, y + away]];
      // What one points at has its name in any case.
      const free = sides.find(([left, top]) => room.isFree(left, top, wide, 16))
        || (index === this.at && sides.find(([left, top]) => room.isInside(left, top, wide, 16)));
      if (!free) continue;
      const [left, top] = free, span = node("span", this.texts[index], index === this.at ? "current" : "");
      span.style.left = `${left}px`;
      span.style.top = `${top}px`;
      room.take(left, top, wide, 16);
      spans.push(span);
    }
    this.names.replaceChildren(...spans);
  }

  point(event) {
    if (!this.points) return;
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 24 ** 2;
    this.places.forEach((place, index) => {
      const far = (place[0] - x) ** 2 + (place[1] - y) ** 2;
      if (far < least) [best, least] = [index, far];
    });
    if (best >= 0) this.go(best);
  }

  go(index) {
    this.mark(index);
    this.output.textContent = this.texts[index];
    this.select(index);
  }
}

// Which places of an area are taken, in squares of 4 pixels.
class Room {
  constructor(width, height) {
    Object.assign(this, { width, height, columns: Math.ceil(width / 4) + 1 });
    this.taken = new Uint8Array(this.columns * (Math.ceil(height / 4) + 1));
  }

  *squares(left, top, wide, high) {
    const last = Math.min(this.width, left + wide), bottom = Math.min(this.height, top + high);
    for (let row = Math.max(0, Math.floor(top / 4)); row * 4 < bottom; row++) {
      for (let column = Math.max(0, Math.floor(left / 4)); column * 4 < last; column++) yield row * this.columns + column;
    }
  }

  take(...area) { for (const square of this.squares(...area)) this.taken[square] = 1; }

  isInside(left, top, wide, high) { return left >= 2 && top >= 2 && left + wide <= this.width - 2 && top + high <= this.height - 2; }

  isFree(...area) {
    if (!this.isInside(...area)) return false;
    for (const square of this.squares(...area)) if (this.taken[square]) return false;
    return true;
  }
}
