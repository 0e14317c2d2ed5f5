// Tensors and what is computed from them.

// {name: {shape, values}} of a safetensors file.
function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = {};
  delete head.__metadata__;
  for (const [name, { shape, data_offsets: [start, stop] }] of Object.entries(head)) {
    // The head's length is a multiple of 8, so the numbers lie where a Float32Array can.
    tensors[name] = { shape, values: new Float32Array(buffer, 8 + length + start, (stop - start) / 4) };
  }
  return tensors;
}

// The float32 numbers of a base64 text.
function readBase64(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let index = 0; index < raw.length; index++) bytes[index] = raw.charCodeAt(index);
  return new Float32Array(bytes.buffer);
}

// Long work is done in slices of 10 ms: between them the browser draws and listens. A slice after the
// signal's abort throws.
class Slices {
  constructor(signal) {
    this.signal = signal;
    this.began = performance.now();
  }

  get isOver() { return performance.now() - this.began > 10; }

  async next() {
    await new Promise((done) => setTimeout(done));
    this.signal.throwIfAborted();
    this.began = performance.now();
  }
}

function dot(a, b) {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index] * b[index];
  return sum;
}

function cosine(a, b) {
  return dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1);
}

function unit(row) {
  const size = Math.sqrt(dot(row, row)) || 1;
  return row.map((value) => value / size);
}

// The cosine of every row with every row, (N, N). O(N² × width), in slices.
async function cosineMatrix(rows, slices) {
  const count = rows.length, values = new Float32Array(count * count), units = [];
  for (const row of rows) {
    units.push(unit(row));
    if (slices.isOver) await slices.next();
  }
  for (let a = 0; a < count; a++) {
    for (let b = 0; b <= a; b++) values[a * count + b] = values[b * count + a] = dot(units[a], units[b]);
    if (slices.isOver) await slices.next();
  }
  return values;
}

// The shortest decimals that read back as the same float32.
function exact(value) {
  for (let digits = 1; digits < 10; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

// The value that a share of the magnitudes does not exceed, from a sample of 4,096 at most.
function quantile(values, share) {
  const step = Math.max(1, Math.floor(values.length / 4096)), sample = [];
  for (let place = 0; place < values.length; place += step) sample.push(Math.abs(values[place]));
  return sample.sort((a, b) => a - b)[Math.floor((sample.length - 1) * share)] || 1;
}

// Coordinates along the two directions in which the rows differ most (principal components), by power
// iteration: v ← Xᵀ(X v) for the centred rows X. O(rounds × rows × width), in slices.
async function project(rows, slices) {
  const width = rows[0].length, mean = new Float64Array(width);
  for (const row of rows) for (let column = 0; column < width; column++) mean[column] += row[column] / rows.length;
  const centred = [];
  for (const row of rows) {
    centred.push(Float64Array.from(row, (value, column) => value - mean[column]));
    if (slices.isOver) await slices.next();
  }
  const axes = [];
  for (let axis = 0; axis < 2; axis++) {
    let vector = unit(Float64Array.from({ length: width }, (_, index) => Math.sin(index + 1 + axis)));
    for (let round = 0; round < 100; round++) {
      const next = new Float64Array(width);
      for (const row of centred) {
        const part = dot(row, vector);
        for (let column = 0; column < width; column++) next[column] += part * row[column];
      }
      for (const other of axes) {
        const part = dot(next, other);
        for (let column = 0; column < width; column++) next[column] -= part * other[column];
      }
      if (slices.isOver) await slices.next();
      if (dot(next, next) < 1e-20) { vector = new Float64Array(width); break; }
      const before = vector;
      vector = unit(next);
      if (1 - dot(before, vector) < 1e-9) break;
    }
    axes.push(vector);
  }
  return centred.map((row) => axes.map((axis) => dot(row, axis)));
}
