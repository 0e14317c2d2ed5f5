// A canvas of coloured cells with a value each, read with the pointer or the arrow keys.
class Cells {
  constructor(canvas, output) {
    this.canvas = canvas;
    this.output = output;
    this.at = [0, 0];
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerdown", (event) => this.point(event));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step || !this.rows) return;
      event.preventDefault();
      this.show(this.at[0] + step[0], this.at[1] + step[1]);
    });
  }

  // color(row, column) → [red, green, blue]; say(row, column) → the line below.
  draw({ rows, columns, width, height, color, say }) {
    Object.assign(this, { rows, columns, width, height, say });
    this.canvas.width = columns;
    this.canvas.height = rows;
    this.canvas.style.width = `${columns * width}px`;
    this.canvas.style.height = `${rows * height}px`;
    this.output.textContent = "\u00a0";
    if (!rows || !columns) return;
    const image = new ImageData(columns, rows);
    for (let row = 0, place = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, place += 4) {
        image.data.set(color(row, column), place);
        image.data[place + 3] = 255;
      }
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  point(event) {
    if (!this.rows) return;
    const box = this.canvas.getBoundingClientRect();
    this.show(
      Math.floor(((event.clientY - box.top) / box.height) * this.rows),
      Math.floor(((event.clientX - box.left) / box.width) * this.columns));
  }

  show(row, column) {
    this.at = [Math.min(Math.max(row, 0), this.rows - 1), Math.min(Math.max(column, 0), this.columns - 1)];
    this.output.textContent = this.say(...this.at);
  }
}

// Blue below 0, white at it, red above, full at the limit.
function signed(value, limit) {
  const share = Math.max(-1, Math.min(1, value / limit));
  const rest = 255 * (1 - Math.abs(share));
  return share > 0 ? [255, rest, rest] : [rest, rest, 255];
}

// White at 0, dark blue at 1.
function unsigned(value) {
  const share = Math.max(0, Math.min(1, value));
  return [255 - 230 * share, 255 - 200 * share, 255 - 110 * share];
}

function drawPoints(svg, points, names) {
  svg.replaceChildren();
  const limit = Math.max(...points.flat().map(Math.abs), 1e-9);
  points.forEach(([x, y], index) => {
    const place = [300 + (x / limit) * 220, 160 - (y / limit) * 130];
    const circle = document.createElementNS(svg.namespaceURI, "circle");
    circle.setAttribute("cx", place[0]);
    circle.setAttribute("cy", place[1]);
    circle.setAttribute("r", 5);
    const text = document.createElementNS(svg.namespaceURI, "text");
    text.setAttribute("x", place[0]);
    text.setAttribute("y", place[1] - 10);
    text.setAttribute("text-anchor", "middle");
    text.textContent = names[index];
    svg.append(circle, text);
  });
}
