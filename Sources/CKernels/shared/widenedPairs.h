// Pairs of bfloat16 widened to floats, for attention and, at bfloat16, for
// products. In a packed panel a pair is two rows of floats: of the seconds, then of the firsts.

#pragma once

#include "values.h"
#include "widened.h"

PAIR_TILES(widePairsTile, Widened);

// Floats that a pair takes.
enum { PairWords = 2 };

// Floats of a row of pairs: a second of a last pair that is not there is 0.
INLINE size_t widenedCount(size_t count) { return (count + 1) / 2 * PairWords; }

// Widens a row of values to pairs.
INLINE void widenRow(size_t count, const Value *from, float *to) {
  for (size_t j = 0; j < count; j += LANES) {
    storeUpTo(to + j, loadValues(from + j, count - j), widenedCount(count) - j);
  }
}

// Floats between two rows of queries that are widened for a tile.
INLINE size_t queryStride(size_t headSize) {
  return (headSize + LANES - 1) / LANES * LANES + LANES;
}

INLINE void widenQueries(size_t rows, size_t headSize, const uint8_t *queries, size_t ld,
                         float *to) {
  for (size_t r = 0; r < rows; r++) {
    widenRow(headSize, (const Value *)(queries + r * ld), to + r * queryStride(headSize));
  }
}

// Ends rows of numerators with the second of a last pair that is not there.
INLINE void endPairs(size_t rows, size_t keyCount, float *scores, size_t ld) {
  if (keyCount % 2 == 0) return;
  for (size_t r = 0; r < rows; r++) scores[r * ld + keyCount] = 0;
}

INLINE void multiplyPairs(size_t rows, size_t count, const float *x, size_t ldx,
                          const uint32_t *panel, uint32_t *sums, size_t ldSums) {
  // Read, not written; nothing is packed.
  uint32_t *wide = (uint32_t *)panel;
  const uint8_t *none = (const uint8_t *)panel;
  widePairsTiles[rows](widenedCount(count) / PairWords, (const uint8_t *)x, ldx * sizeof *x, none,
                       wide, none, 0, true, sums, ldSums);
}

// Where the numbers of index k of a panel's columns are.
INLINE float *pairPlace(uint32_t *panel, size_t k) {
  return (float *)panel + (k ^ 1) * PanelColumns;
}

INLINE void packKeys(size_t count, size_t headSize, const uint8_t *keys, size_t ld,
                     uint32_t *panel) {
  for (size_t half = 0; half < PanelColumns; half += LANES) {
    const size_t present = count > half ? least(LANES, count - half) : 0;
    for (size_t k = 0; k < headSize; k += LANES) {
      vec block[LANES];
      UNROLL
      for (size_t r = 0; r < LANES; r++) {
        const Value *row = (const Value *)(keys + (half + r) * ld) + k;
        block[r] = r < present ? loadValues(row, headSize - k) : vset(0);
      }
      vtranspose(block);
      UNROLL
      for (size_t i = 0; i < LANES; i++) {
        if (k + i < widenedCount(headSize)) vstore(pairPlace(panel, k + i) + half, block[i]);
      }
    }
  }
}

// Pairs are the same column of two rows.
static void packValues(size_t keyCount, size_t headSize, const uint8_t *values, size_t ld,
                       uint32_t *packed) {
  for (size_t first = 0; first < headSize; first += PanelColumns) {
    for (size_t k = 0; k < widenedCount(keyCount); k++) {
      UNROLL
      for (size_t half = 0; half < PanelColumns; half += LANES) {
        const size_t j = first + half;
        const Value *row = (const Value *)(values + k * ld) + j;
        vstore(pairPlace(packed, k) + half,
               k < keyCount && j < headSize ? loadValues(row, headSize - j) : vset(0));
      }
    }
    packed += widenedCount(keyCount) * PanelColumns;
  }
}
