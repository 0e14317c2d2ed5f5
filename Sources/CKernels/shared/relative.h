// The terms of disentangled attention, added to a tile's scores.

#pragma once

#include "softmax.h"

// The rows of `relative` that the distances in one input use.
typedef struct RelativeRange {
  size_t first, count;
} RelativeRange;

INLINE RelativeRange relativeRange(const AttentionInput *input) {
  const int32_t *rows = input->relative.rowOfDistance;
  if (!rows) return (RelativeRange){0, 0};
  // They do not increase with the distance.
  const size_t first = (size_t)rows[input->keyCount - 1];
  return (RelativeRange){first, (size_t)rows[1 - (ptrdiff_t)input->queryCount] + 1 - first};
}

// Floats of both products: of a tile's queries and of all keys with such rows.
INLINE size_t relativeProductsCount(size_t keyCount, size_t relativeCount) {
  if (relativeCount == 0) return 0;
  return TILE_ROWS * scoresStride(relativeCount) + relativeCount * scoresStride(keyCount);
}

// Adds the products to the scores of the tile that begins at query `start`, in blocks of keys: neighbouring
// queries read neighbouring rows of `ofKeys`, which stay in the cache.
//
// - ofQueries: [rows, relative.count], null without; ofKeys: [relative.count, keys], null without.
INLINE void addRelative(const AttentionInput *input, RelativeRange relative, size_t start,
                        size_t rows, KeyRange attended, const float *ofQueries, const float *ofKeys,
                        float *scores, size_t ld) {
  const size_t ldQueries = scoresStride(relative.count), ldKeys = scoresStride(input->keyCount);
  for (size_t first = attended.first; first < attended.end; first += PanelColumns) {
    const size_t end = least(attended.end, first + PanelColumns);
    for (size_t r = 0; r < rows; r++) {
      const int32_t *rowOfKey = input->relative.rowOfDistance - (ptrdiff_t)(start + r);
      float *row = scores + r * ld - attended.first;
      const float *ofQuery = ofQueries ? ofQueries + r * ldQueries : NULL;
      for (size_t k = first; k < end; k++) {
        const size_t place = (size_t)rowOfKey[k] - relative.first;
        if (ofQuery) row[k] += ofQuery[place];
        if (ofKeys) row[k] += ofKeys[place * ldKeys + k];
      }
    }
  }
}
