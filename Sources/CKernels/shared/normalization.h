// Layer norm and embeddings. Two passes over a row that stays in the first-level cache: the mean
// first, then the squares of what is left, so that nothing cancels. Then `makeOperandRow` of the
// precision, while the row is near.

INLINE void normalizeRow(const LayerNorm *norm, const float *x, float *y) {
  const size_t columns = norm->columns, whole = columns / (4 * LANES) * (4 * LANES);
  vec sums[4] = {vset(0), vset(0), vset(0), vset(0)};
  size_t j = 0;
  for (; j < whole; j += 4 * LANES) {
    UNROLL
    for (size_t i = 0; i < 4; i++) sums[i] += vload(x + j + i * LANES);
  }
  for (; j < columns; j += LANES) sums[0] += loadUpTo(x + j, columns - j);
  const float mean = vsum((sums[0] + sums[1]) + (sums[2] + sums[3])) / (float)columns;
  UNROLL
  for (size_t i = 0; i < 4; i++) sums[i] = vset(0);
  for (j = 0; j < whole; j += 4 * LANES) {
    UNROLL
    for (size_t i = 0; i < 4; i++) {
      const vec d = vload(x + j + i * LANES) - vset(mean);
      sums[i] = vfma(d, d, sums[i]);
    }
  }
  for (; j < columns; j += LANES) {
    const size_t n = columns - j;
    vec d = loadUpTo(x + j, n) - vset(mean);
    if (n < LANES) d = vkeep(d, n, vset(0));
    sums[0] = vfma(d, d, sums[0]);
  }
  const float squares = vsum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  const vec factor = vset(1 / sqrtf(squares / (float)columns + norm->epsilon));
  for (j = 0; j < columns; j += LANES) {
    const size_t n = columns - j;
    const vec d = (loadUpTo(x + j, n) - vset(mean)) * factor;
    storeUpTo(y + j, vfma(d, loadUpTo(norm->scale + j, n), loadUpTo(norm->shift + j, n)), n);
  }
}

static void layerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx, float *y,
                      size_t ldy, void *operands, size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    normalizeRow(norm, x + r * ldx, y + r * ldy);
    makeOperandRow(norm->columns, y + r * ldy, (uint8_t *)operands + r * ldOperands);
  }
}

static void embed(const EmbeddingInput *input, const LayerNorm *norm, size_t rows, float *y,
                  size_t ldy, void *operands, size_t ldOperands) {
  const size_t columns = norm->columns;
  for (size_t r = 0; r < rows; r++) {
    const float *word = input->wordTable + (size_t)input->ids[r] * columns;
    const float *position = input->positionTable + (size_t)input->positions[r] * columns;
    const float *type = input->typeTable + (size_t)input->types[r] * columns;
    float *row = y + r * ldy;
    for (size_t j = 0; j < columns; j += LANES) {
      const size_t n = columns - j;
      const vec sum = loadUpTo(word + j, n) + loadUpTo(type + j, n);
      storeUpTo(row + j, sum + loadUpTo(position + j, n), n);
    }
    normalizeRow(norm, row, row);
    makeOperandRow(columns, row, (uint8_t *)operands + r * ldOperands);
  }
}
