// What queries and keys have to do with their distances, added to a tile's scores.

#pragma once

#include "softmax.h"

// The rows of `relative` that an input's distances have, from `first` on.
typedef struct RelativeRows {
  size_t first, count;
} RelativeRows;

INLINE RelativeRows relativeRows(const AttentionInput *input) {
  const int32_t *rows = input->relative.rows;
  if (!rows) return (RelativeRows){0, 0};
  // They never grow with the distance.
  const size_t first = (size_t)rows[input->keyCount - 1];
  return (RelativeRows){first, (size_t)rows[1 - (ptrdiff_t)input->queryCount] + 1 - first};
}

// Floats of both products with such rows: of a tile's queries, and of all keys.
INLINE size_t relativeProductsCount(size_t keyCount, size_t relativeCount) {
  if (relativeCount == 0) return 0;
  return TILE_ROWS * scoresStride(relativeCount) + relativeCount * scoresStride(keyCount);
}

// Adds what the products say to the scores of the tile that begins at query `start`, in blocks of
// keys: what neighbouring queries read of `ofKeys` are neighbours too, and stay in the cache.
//
// - ofQueries: [rows, relative.count], null without; ofKeys: [relative.count, keys], null without.
INLINE void addRelative(const AttentionInput *input, RelativeRows relative, size_t start,
                        size_t rows, KeyRange attended, const float *ofQueries, const float *ofKeys,
                        float *scores, size_t ld) {
  const size_t ldQueries = scoresStride(relative.count), ldKeys = scoresStride(input->keyCount);
  for (size_t first = attended.first; first < attended.end; first += PanelColumns) {
    const size_t end = least(attended.end, first + PanelColumns);
    for (size_t r = 0; r < rows; r++) {
      const int32_t *places = input->relative.rows - (ptrdiff_t)(start + r);
      float *row = scores + r * ld - attended.first;
      const float *ofQuery = ofQueries ? ofQueries + r * ldQueries : NULL;
      for (size_t k = first; k < end; k++) {
        const size_t place = (size_t)places[k] - relative.first;
        if (ofQuery) row[k] += ofQuery[place];
        if (ofKeys) row[k] += ofKeys[place * ldKeys + k];
      }
    }
  }
}
