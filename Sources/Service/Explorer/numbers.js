// Tensors and what is computed of them.

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

function areEqualBits(a, b) {
  const [x, y] = [a, b].map((v) => new Uint32Array(v.buffer, v.byteOffset, v.length));
  return x.length === y.length && x.every((bits, index) => bits === y[index]);
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

// The shortest decimals that read back as the same float32.
function exact(value) {
  for (let digits = 1; digits < 10; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

// Coordinates along the two directions in which the rows differ most, by power iteration on the matrix
// of their products: there are fewer rows than dimensions.
function project(rows) {
  const count = rows.length;
  const mean = rows[0].map((_, column) => rows.reduce((sum, row) => sum + row[column], 0) / count);
  const centred = rows.map((row) => Array.from(row, (value, column) => value - mean[column]));
  const products = centred.map((a) => centred.map((b) => dot(a, b)));
  const axes = [];
  for (let axis = 0; axis < 2; axis++) {
    let vector = products.map((_, index) => Math.sin(index + 1 + axis));
    let size = 0;
    for (let round = 0; round < 200; round++) {
      for (const { vector: other } of axes) {
        const part = dot(vector, other);
        vector = vector.map((value, index) => value - part * other[index]);
      }
      const next = products.map((row) => dot(row, vector));
      size = Math.sqrt(dot(next, next));
      if (size < 1e-12) break;
      vector = next.map((value) => value / size);
    }
    axes.push({ vector, scale: Math.sqrt(size) });
  }
  return rows.map((_, index) => axes.map(({ vector, scale }) => vector[index] * scale));
}
