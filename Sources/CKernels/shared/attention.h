// Attention: keys and values of one head are packed like weights, then a few query rows at a time
// go through scores, softmax and the sum of values without leaving the cache.

// Floats of the three parts of the scratch memory.
INLINE size_t packedKeysCount(size_t keyCount, size_t headSize) {
  return panelCount(keyCount) * PanelColumns * headSize;
}

INLINE size_t packedValuesCount(size_t keyCount, size_t headSize) {
  return panelCount(headSize) * PanelColumns * keyCount;
}

// Distance of two rows of scores. The odd number of cache lines keeps rows out of each other's
// cache sets.
INLINE size_t scoresStride(size_t keyCount) {
  return panelCount(keyCount) * PanelColumns + LANES;
}

static size_t attentionScratch(size_t keyCount, size_t headSize) {
  return packedKeysCount(keyCount, headSize) + packedValuesCount(keyCount, headSize) +
         TILE_ROWS * scoresStride(keyCount);
}

static void packValues(size_t keyCount, size_t headSize, const float *values, size_t ld,
                       float *packed) {
  for (size_t first = 0; first < headSize; first += PanelColumns) {
    for (size_t k = 0; k < keyCount; k++) {
      UNROLL
      for (size_t half = 0; half < PanelColumns; half += LANES) {
        const size_t j = first + half;
        vstore(packed, j < headSize ? loadUpTo(values + k * ld + j, headSize - j) : vset(0));
        packed += LANES;
      }
    }
  }
}

// The largest of a row of scores. Reads whole registers: the row has room for them.
INLINE float largestScore(const float *row, size_t count) {
  const size_t whole = count / LANES * LANES, rest = count - whole;
  vec largest[2] = {vset(row[0]), vset(row[0])};
  size_t j = 0;
  for (; j + 2 * LANES <= whole; j += 2 * LANES) {
    largest[0] = vmax(largest[0], vload(row + j));
    largest[1] = vmax(largest[1], vload(row + j + LANES));
  }
  if (j < whole) largest[0] = vmax(largest[0], vload(row + j));
  if (rest > 0) largest[1] = vmax(largest[1], vkeep(vload(row + whole), rest, largest[1]));
  return vlargest(vmax(largest[0], largest[1]));
}

// Turns a row of scores into e^((score - largest) · scale), and returns sums of them. Reads and
// writes whole registers.
INLINE vec numerators(float *row, size_t count, float largest, float scale) {
  const size_t whole = count / LANES * LANES, rest = count - whole;
  const vec factor = vset(scale * (float)log2OfE), offset = vset(-largest) * factor;
  vec sums[2] = {vset(0), vset(0)};
  for (size_t j = 0; j < whole; j += LANES) {
    const vec p = powerOf2(vfma(vload(row + j), factor, offset));
    vstore(row + j, p);
    sums[j / LANES % 2] += p;
  }
  if (rest > 0) {
    const vec p = powerOf2(vfma(vload(row + whole), factor, offset));
    vstore(row + whole, p);
    sums[0] += vkeep(p, rest, vset(0));
  }
  return sums[0] + sums[1];
}

// Turns rows of scores into softmax's numerators, and gives 1 / their sums. Each step is done for
// all rows before the next: what follows a sum over lanes would have to wait for it.
INLINE void softmax(size_t rows, size_t count, float scale, float *scores, size_t ld,
                    float factors[TILE_ROWS]) {
  vec sums[TILE_ROWS];
  for (size_t r = 0; r < rows; r++) factors[r] = largestScore(scores + r * ld, count);
  for (size_t r = 0; r < rows; r++) {
    sums[r] = numerators(scores + r * ld, count, factors[r], scale);
  }
  for (size_t r = 0; r < rows; r++) factors[r] = 1 / vsum(sums[r]);
}

static void attention(const AttentionInput *input, void *results, size_t bytesY, float *scratch) {
  const float *inputQueries = input->queries, *inputKeys = input->keys;
  const float *inputValues = input->values;
  float *y = results;
  const size_t ldq = input->ldQueries / sizeof(float), ldk = input->ldKeys / sizeof(float);
  const size_t ldy = bytesY / sizeof(float);
  const size_t keyCount = input->keyCount, headSize = input->headSize;
  float *keys = scratch, *values = keys + packedKeysCount(keyCount, headSize);
  float *scores = values + packedValuesCount(keyCount, headSize);
  const size_t ldScores = scoresStride(keyCount), count = tileCount(input->queryCount);
  const float scale = 1 / sqrtf((float)headSize);
  _Alignas(KernelAlignment) float total[TILE_ROWS * PanelColumns];
  for (size_t head = 0; head < input->headCount; head++) {
    const size_t column = head * headSize;
    for (size_t first = 0; first < keyCount; first += PanelColumns) {
      packPanel(least(PanelColumns, keyCount - first), headSize,
                inputKeys + first * ldk + column, ldk,
                keys + first * headSize);
    }
    packValues(keyCount, headSize, inputValues + column, ldk, values);
    for (size_t t = 0; t < count; t++) {
      const size_t start = input->queryCount * t / count;
      const size_t height = input->queryCount * (t + 1) / count - start;
      for (size_t first = 0; first < keyCount; first += PanelColumns) {
        const float *panel = keys + first * headSize;
        const TileContext context = {
            .sumLength = ScoreSumLength, .total = total, .ahead = panel};
        tiles[height](headSize, PanelColumns, inputQueries + start * ldq + column, ldq, panel,
                      &context, scores + first, ldScores);
      }
      float factors[TILE_ROWS];
      softmax(height, keyCount, scale, scores, ldScores, factors);
      for (size_t first = 0; first < headSize; first += PanelColumns) {
        const size_t columns = least(PanelColumns, headSize - first);
        const float *panel = values + first * keyCount;
        const TileContext context = {.sumLength = PartialSumLength,
                                     .total = total,
                                     .ahead = panel,
                                     .factors = factors};
        tiles[height](keyCount, columns, scores, ldScores, panel, &context,
                      y + start * ldy + column + first, ldy);
      }
    }
  }
}
