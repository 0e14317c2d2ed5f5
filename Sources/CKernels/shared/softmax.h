// Softmax over rows of scores. Before it stand `exponential`, 2^t for t ≤ 0, and `storeNumerators`,
// which puts a register of them where the scores were.

#pragma once

#include "panel.h"

INLINE vec exponential(vec t);
INLINE void storeNumerators(float *row, size_t j, vec p);
INLINE void clearNumerators(float *row, size_t first, size_t end);

// The keys that some query rows attend to; those of a row begin and end between them.
typedef struct KeyRange {
  size_t first, end;
} KeyRange;

// The keys of the tile of rows that begins at `start`: whole panels but the last of all, so that a
// key has the same lane in every tile. What a row does not attend to adds nothing to its sums: they
// do not depend on where its tile begins.
INLINE KeyRange keysOfTile(const AttentionInput *input, size_t start) {
  const size_t count = input->keyCount, window = input->window;
  if (window == 0) return (KeyRange){0, count};
  const size_t first = least(start + 1 > window ? start + 1 - window : 0, count - 1);
  return (KeyRange){first / PanelColumns * PanelColumns,
                    least(count, panelCount(start + TILE_ROWS - 1 + window) * PanelColumns)};
}

// Those of one row, counted from the first of its tile's.
INLINE KeyRange keysOfRow(const AttentionInput *input, KeyRange tile, size_t row) {
  const size_t window = input->window;
  const size_t first = least(row + 1 > window ? row + 1 - window : 0, tile.end);
  return (KeyRange){first - tile.first, least(tile.end, row + window) - tile.first};
}

// Scores outside the window become less than any other: their numerators are nothing beside the
// largest's 1.
INLINE void maskScores(const AttentionInput *input, KeyRange keys, size_t start, size_t rows,
                       float *scores, size_t ld) {
  for (size_t r = 0; r < rows; r++) {
    const KeyRange own = keysOfRow(input, keys, start + r);
    for (size_t j = 0; j < own.first; j++) scores[r * ld + j] = -1e30f;
    for (size_t j = own.end; j < keys.end - keys.first; j++) scores[r * ld + j] = -1e30f;
  }
}

// The numerators of such scores, which `exponential` leaves above 0, become 0.
INLINE void maskNumerators(const AttentionInput *input, KeyRange keys, size_t start, size_t rows,
                           float *scores, size_t ld) {
  for (size_t r = 0; r < rows; r++) {
    const KeyRange own = keysOfRow(input, keys, start + r);
    clearNumerators(scores + r * ld, 0, own.first);
    clearNumerators(scores + r * ld, own.end, keys.end - keys.first);
  }
}

// Distance of two rows of scores. The odd number of cache lines keeps rows out of each other's
// cache sets.
INLINE size_t scoresStride(size_t keyCount) {
  return panelCount(keyCount) * PanelColumns + LANES;
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
  if (rest > 0) largest[1] = vmax(largest[1], selectFirstN(vload(row + whole), rest, largest[1]));
  return vlargest(vmax(largest[0], largest[1]));
}

// Turns a row of scores into e^((score - largest) · scale), and returns sums of them. Reads and
// writes whole registers.
INLINE vec numerators(float *row, size_t count, float largest, float scale) {
  // The error of the rounded offset below is common to the row and cancels, unless it is large: 2^-8 here.
  if (fabsf(largest * scale) > 0x1p16f) {
    for (size_t j = 0; j < count; j += LANES) vstore(row + j, vload(row + j) - vset(largest));
    largest = 0;
  }
  const size_t whole = count / LANES * LANES, rest = count - whole;
  const vec factor = vset(scale * (float)log2OfE), offset = vset(-largest) * factor;
  vec sums[2] = {vset(0), vset(0)};
  for (size_t j = 0; j < whole; j += LANES) {
    const vec p = exponential(vfma(vload(row + j), factor, offset));
    storeNumerators(row, j, p);
    sums[j / LANES % 2] += p;
  }
  if (rest > 0) {
    const vec p = exponential(vfma(vload(row + whole), factor, offset));
    storeNumerators(row, whole, p);
    sums[0] += selectFirstN(p, rest, vset(0));
  }
  return sums[0] + sums[1];
}

// Scores times `scale` plus a bias: that of row r and column j is bias[j - r]. Writes whole
// registers.
INLINE void biasScores(size_t rows, size_t count, float scale, const float *bias, float *scores,
                       size_t ld) {
  for (size_t r = 0; r < rows; r++) {
    float *row = scores + r * ld;
    for (size_t j = 0; j < count; j += LANES) {
      const vec added = loadUpTo(bias + j - r, count - j);
      vstore(row + j, vfma(vload(row + j), vset(scale), added));
    }
  }
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
