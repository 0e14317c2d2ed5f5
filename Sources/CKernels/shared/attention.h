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

// Turns one row of scores into e^((score - largest) · scale), and returns 1 / their sum. Reads and
// writes whole registers: the row has room for them.
INLINE float softmaxNumerators(float *row, size_t count, float scale) {
  const size_t whole = count / LANES * LANES, rest = count - whole;
  vec largest = vset(row[0]);
  for (size_t j = 0; j < whole; j += LANES) largest = vmax(largest, vload(row + j));
  if (rest > 0) largest = vmax(largest, vkeep(vload(row + whole), rest, largest));
  const vec factor = vset(scale * (float)log2OfE);
  const vec offset = vset(-vlargest(largest)) * factor;
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
  return 1 / vsum(sums[0] + sums[1]);
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
        tiles[height](headSize, PanelColumns, inputQueries + start * ldq + column, ldq,
                      keys + first * headSize, NULL, NULL, 0, scores + first,
                      ldScores);
      }
      float factors[TILE_ROWS];
      for (size_t r = 0; r < height; r++) {
        factors[r] = softmaxNumerators(scores + r * ldScores, keyCount, scale);
      }
      for (size_t first = 0; first < headSize; first += PanelColumns) {
        const size_t columns = least(PanelColumns, headSize - first);
        float *place = y + start * ldy + column + first;
        tiles[height](keyCount, columns, scores, ldScores, values + first * keyCount, NULL, NULL,
                      0, place, ldy);
        for (size_t r = 0; r < height; r++) {
          for (size_t j = 0; j < columns; j += LANES) {
            float *part = place + r * ldy + j;
            storeUpTo(part, loadUpTo(part, columns - j) * vset(factors[r]), columns - j);
          }
        }
      }
    }
  }
}
