// Attention: keys and values of one head are packed like weights, then a few query rows at a time
// go through scores, softmax and the sum of values without leaving the cache.

#pragma once

#include "product.h"
#include "relative.h"

// Floats of parts of the scratch memory.
INLINE size_t packedKeysCount(size_t keyCount, size_t headSize) {
  return panelCount(keyCount) * PanelColumns * headSize;
}

INLINE size_t packedValuesCount(size_t keyCount, size_t headSize) {
  return panelCount(headSize) * PanelColumns * keyCount;
}

INLINE vec exponential(vec t) { return powerOf2(t); }

INLINE void storeNumerators(float *row, size_t j, vec p) { vstore(row + j, p); }

INLINE void clearNumerators(float *row, size_t first, size_t end) {
  for (size_t j = first; j < end; j++) row[j] = 0;
}

static size_t attentionScratch(size_t keyCount, size_t headSize, size_t relativeCount) {
  return packedKeysCount(keyCount, headSize) + packedValuesCount(keyCount, headSize) +
         TILE_ROWS * scoresStride(keyCount) + packedKeysCount(relativeCount, headSize) +
         relativeProductsCount(keyCount, relativeCount);
}

static void packHeadKeys(size_t count, size_t headSize, const float *keys, size_t ld,
                         float *packed) {
  for (size_t first = 0; first < count; first += PanelColumns) {
    packPanel(least(PanelColumns, count - first), headSize, keys + first * ld, ld,
              packed + first * headSize);
  }
}

// Rows times packed keys: [rows, keyCount], whole panels.
static void multiplyKeys(size_t rows, size_t headSize, const float *x, size_t ldx,
                         const float *keys, size_t keyCount, float *scores, size_t ld) {
  _Alignas(KernelAlignment) float total[TILE_ROWS * PanelColumns];
  for (size_t first = 0; first < keyCount; first += PanelColumns) {
    const float *panel = keys + first * headSize;
    const TileContext context = {.sumLength = ScoreSumLength, .total = total, .ahead = panel};
    tiles[rows](headSize, PanelColumns, x, ldx, panel, &context, scores + first, ld);
  }
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
  const RelativeInput *relative = &input->relative;
  const RelativeRange distances = relativeRange(input);
  const size_t ldr = relative->ld / sizeof(float);
  float *relativeKeys = scores + TILE_ROWS * ldScores;
  float *ofQueries = relativeKeys + packedKeysCount(distances.count, headSize);
  float *ofKeys = ofQueries + TILE_ROWS * scoresStride(distances.count);
  const float *bias = input->bias;
  _Alignas(KernelAlignment) float total[TILE_ROWS * PanelColumns];
  for (size_t head = 0; head < input->headCount; head++) {
    const size_t column = head * headSize;
    packHeadKeys(keyCount, headSize, inputKeys + column, ldk, keys);
    if (distances.count > 0 && relative->keys) {
      packHeadKeys(distances.count, headSize,
                   (const float *)relative->keys + distances.first * ldr + column, ldr,
                   relativeKeys);
    }
    for (size_t r = 0; relative->queries && r < distances.count; r += TILE_ROWS) {
      multiplyKeys(least(TILE_ROWS, distances.count - r), headSize,
                   (const float *)relative->queries + (distances.first + r) * ldr + column, ldr,
                   keys, keyCount, ofKeys + r * ldScores, ldScores);
    }
    packValues(keyCount, headSize, inputValues + column, ldk, values);
    for (size_t t = 0; t < count; t++) {
      const size_t start = input->queryCount * t / count;
      const size_t height = input->queryCount * (t + 1) / count - start;
      const KeyRange attended = keysOfTile(input, start);
      const size_t attendedCount = attended.end - attended.first;
      const float *queries = inputQueries + start * ldq + column;
      multiplyKeys(height, headSize, queries, ldq, keys + attended.first * headSize, attendedCount,
                   scores, ldScores);
      if (distances.count > 0) {
        if (relative->keys) {
          multiplyKeys(height, headSize, queries, ldq, relativeKeys, distances.count, ofQueries,
                       scoresStride(distances.count));
        }
        addRelative(input, distances, start, height, attended, relative->keys ? ofQueries : NULL,
                    relative->queries ? ofKeys : NULL, scores, ldScores);
      }
      float factors[TILE_ROWS];
      if (bias) {
        biasScores(height, attendedCount, input->scale,
                   bias + head * input->ldBias + attended.first - start, scores, ldScores);
      }
      if (input->window) maskScores(input, attended, start, height, scores, ldScores);
      softmax(height, attendedCount, bias ? 1 : input->scale, scores, ldScores, factors);
      if (input->window) maskNumerators(input, attended, start, height, scores, ldScores);
      for (size_t first = 0; first < headSize; first += PanelColumns) {
        const size_t columns = least(PanelColumns, headSize - first);
        const float *panel = values + first * keyCount + attended.first * PanelColumns;
        // Of a window there is one sum: partial ones would depend on its first key.
        const TileContext context = {.sumLength = input->window ? attendedCount : PartialSumLength,
                                     .total = total,
                                     .ahead = panel,
                                     .factors = factors};
        tiles[height](attendedCount, columns, scores, ldScores, panel, &context,
                      y + start * ldy + column + first, ldy);
      }
    }
  }
}
