// Makes a chart's canvas one that keys and pointer read: what is pointed at is said in its output.
function makeReadable(chart, id, label) {
  const { canvas, output } = chart;
  // The arrow keys are the chart's: a screen reader shall not take them for itself.
  for (const [name, value] of [["tabindex", "0"], ["role", "application"], ["data-label", label], ["aria-describedby", `${id}-value`]]) {
    canvas.setAttribute(name, value);
  }
  canvas.id = id;
  output.id = `${id}-value`;
  output.setAttribute("aria-live", "polite");
  canvas.addEventListener("pointermove", (event) => chart.point(event));
  canvas.addEventListener("pointerdown", (event) => chart.point(event));
}

// A chart of coloured cells on a canvas: names along its sides, a colour scale, and a line with the value
// of one cell, which the pointer or the arrow keys choose.
class Grid {
  // id: the canvas's. label: the name in WORDS of the chart's title. select(row, column): a cell was
  // pointed at. choose(row): a cell was clicked, or Enter pressed.
  constructor(place, { id, label, select, choose }) {
    Object.assign(this, { place, select, choose });
    const add = (parent, className, name = "div") => parent.appendChild(node(name, "", className));
    this.frame = add(place, "frame");
    add(this.frame, "corner");
    this.columnNames = add(this.frame, "columns");
    this.rowNames = add(this.frame, "rows");
    this.cells = add(this.frame, "cells");
    this.canvas = add(this.cells, "", "canvas");
    this.rowBand = add(this.cells, "band");
    this.columnBand = add(this.cells, "band");
    this.scale = add(place, "scale");
    this.output = add(place, "value", "p");
    makeReadable(this, id, label);
    this.canvas.addEventListener("click", () => this.spec && this.choose?.(this.at[0]));
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.clear();
  }

  // Leaves the room that the chart takes, so that the page does not jump.
  clear() {
    this.spec = this.drawnOf = null;
    this.isRead = false;
    this.at = [0, 0];
    this.place.classList.add("blank");
    this.canvas.width = this.canvas.height = 0;
    this.output.textContent = "\u00a0";
    this.rowBand.hidden = this.columnBand.hidden = true;
  }

  // spec: rows, columns; width, height of a cell in pixels; values (rows × columns); palette, low, high;
  // ends: texts below the scale; say(row, column): the line for a cell; rowName(row), columnName(column);
  // upright: column names stand, one a column; else one every columnStep columns.
  draw(spec) {
    this.spec = spec;
    const { rows, columns, width, height } = spec;
    this.place.classList.remove("blank");
    paint(this.canvas, spec);
    this.canvas.style.width = `${columns * width}px`;
    this.canvas.style.height = `${rows * height}px`;
    this.drawNames();
    this.drawScale();
    this.at = [Math.min(this.at[0], rows - 1), Math.min(this.at[1], columns - 1)];
    if (this.isRead) this.output.textContent = spec.say(...this.at);
  }

  redraw() { if (this.spec) this.draw(this.spec); }

  drawNames() {
    const { rows, columns, width, height, rowName, columnName, upright, columnStep } = this.spec;
    const pen = this.canvas.getContext("2d"), most = innerWidth < 640 ? 96 : 150;
    pen.font = `12px ${getComputedStyle(this.frame).fontFamily}`;
    const sizeOf = (names) => Math.min(most, Math.ceil(Math.max(0, ...names.map(({ text }) => pen.measureText(text).width))) + 12);
    // One of so many that none touches the next.
    const every = (count, step, name) => Array.from({ length: Math.ceil(count / step) }, (_, index) => ({ index: index * step, text: name(index * step) }));
    const side = every(rows, Math.ceil(NAME_HEIGHT / height), rowName);
    const top = every(columns, columnStep || Math.ceil(NAME_HEIGHT / width), columnName)
      .filter(({ index }) => upright || (columns - index) * width >= 28);
    this.rowNames.style.width = `${sizeOf(side)}px`;
    this.rowNames.style.height = `${rows * height}px`;
    this.columnNames.style.width = `${columns * width}px`;
    this.columnNames.style.height = `${upright ? sizeOf(top) : NAME_HEIGHT + 2}px`;
    this.columnNames.classList.toggle("upright", Boolean(upright));
    this.rowNames.replaceChildren(...this.placed(side, "top", height, rows));
    this.columnNames.replaceChildren(...upright
      ? this.placed(top, "left", width, columns)
      : top.map(({ index, text }) => this.nameAt(text, "left", index * width)));
    this.current = this.rowNames.appendChild(node("span", "", "current"));
    this.current.hidden = true;
  }

  // Names at the middle of their rows or columns, the first and the last moved in from the edge.
  placed(names, side, size, count) {
    const spans = [];
    let next = 0;
    for (const { index, text } of names) {
      const place = Math.min(Math.max(0, (index + 0.5) * size - NAME_HEIGHT / 2), Math.max(0, count * size - NAME_HEIGHT));
      if (place < next) continue;
      spans.push(this.nameAt(text, side, place));
      next = place + NAME_HEIGHT;
    }
    return spans;
  }

  nameAt(text, side, place) {
    const name = node("span", text);
    name.style[side] = `${place}px`;
    return name;
  }

  drawScale() {
    const { palette, ends } = this.spec, bar = document.createElement("canvas");
    paint(bar, { rows: 1, columns: 256, values: Float32Array.from({ length: 256 }, (_, index) => index), palette, low: 0, high: 255 });
    const texts = node("div", "");
    texts.append(...ends.map((end) => node("span", end)));
    this.scale.replaceChildren(bar, texts);
  }

  // Frames a row, and a column if there is one; null takes the frames away.
  mark(row, column = null) {
    this.rowBand.hidden = row === null || !this.spec;
    this.columnBand.hidden = column === null || !this.spec;
    if (this.current) this.current.hidden = this.rowBand.hidden;
    if (!this.spec || row === null) return;
    const { rows, columns, width, height, rowName, say } = this.spec;
    this.at = [Math.min(row, rows - 1), column === null ? this.at[1] : Math.min(column, columns - 1)];
    this.rowBand.style.top = `${this.at[0] * height}px`;
    this.rowBand.style.height = `${height}px`;
    this.rowBand.style.width = `${columns * width}px`;
    this.columnBand.style.left = `${this.at[1] * width}px`;
    this.columnBand.style.width = `${width}px`;
    this.columnBand.style.height = `${rows * height}px`;
    this.current.textContent = rowName(this.at[0]);
    const top = Math.max(0, Math.min((this.at[0] + 0.5) * height - NAME_HEIGHT / 2, rows * height - NAME_HEIGHT));
    this.current.style.top = `${top}px`;
    for (const name of this.rowNames.children) {
      if (name !== this.current) name.hidden = Math.abs(Number.parseFloat(name.style.top) - top) < NAME_HEIGHT;
    }
    if (this.isRead) this.output.textContent = say(...this.at);
  }

  point(event) {
    if (!this.spec) return;
    const box = this.canvas.getBoundingClientRect();
    this.go(
      Math.floor(((event.clientY - box.top) / box.height) * this.spec.rows),
      Math.floor(((event.clientX - box.left) / box.width) * this.spec.columns));
  }

  press(event) {
    if (!this.spec || event.ctrlKey || event.metaKey || event.altKey) return;
    const { rows, columns } = this.spec, [row, column] = this.at;
    const next = {
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      Home: [row, 0], End: [row, columns - 1], PageUp: [row - 10, column], PageDown: [row + 10, column],
    }[event.key];
    if (event.key === "Enter") this.choose?.(row);
    if (!next) return;
    event.preventDefault();
    this.go(Math.min(next[0], rows - 1), next[1]);
    this.reveal();
  }

  go(row, column) {
    const { rows, columns } = this.spec;
    this.at = [Math.min(Math.max(row, 0), rows - 1), Math.min(Math.max(column, 0), columns - 1)];
    this.isRead = true;
    this.mark(...this.at);
    this.select?.(...this.at);
  }

  // Scrolls the frame so that the chosen cell is not outside nor behind the names.
  reveal() {
    const { frame, spec: { width, height } } = this;
    const into = (start, size, first, room) => Math.min(start, Math.max(first, start + size - room));
    frame.scrollLeft = into(this.at[1] * width, width, frame.scrollLeft, frame.clientWidth - this.rowNames.offsetWidth);
    frame.scrollTop = into(this.at[0] * height, height, frame.scrollTop, frame.clientHeight - this.columnNames.offsetHeight);
  }
}

// Pixels from one name to the next: 12 px type and its air.
const NAME_HEIGHT = 16;
