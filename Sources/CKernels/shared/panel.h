// Panels: what a product reads of its other side, PanelColumns outputs side by side.

#pragma once

#include "vector.h"

// Transposes the first `rows` ≤ PanelColumns rows of x, [rows, K], into a panel,
// [K, PanelColumns]; missing rows become zeros.
static void packPanel(size_t rows, size_t inputs, const float *x, size_t ldx, float *panel) {
  for (size_t half = 0; half < PanelColumns; half += LANES) {
    const size_t present = rows > half ? least(LANES, rows - half) : 0;
    for (size_t k = 0; k < inputs; k += LANES) {
      const size_t count = least(LANES, inputs - k);
      vec block[LANES];
      UNROLL
      for (size_t r = 0; r < LANES; r++) {
        const float *row = x + (half + r) * ldx + k;
        block[r] = r < present ? loadUpTo(row, count) : vset(0);
      }
      vtranspose(block);
      UNROLL
      for (size_t i = 0; i < LANES; i++) {
        if (i < count) vstore(panel + (k + i) * PanelColumns + half, block[i]);
      }
    }
  }
}

INLINE size_t panelCount(size_t columns) { return (columns + PanelColumns - 1) / PanelColumns; }

// Rows are cut into tiles of nearly equal height: a low tile is a slow one.
INLINE size_t tileCount(size_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

// Products of so few rows use weights as fast as memory gives them: they are streamed.
enum { StreamedRows = TILE_ROWS + TILE_ROWS / 2 };

// Brings the next `step` bytes to the cache, a line or two. If streamed, to the second-level one,
// where they need not wait for one of the few lines that can be on their way to the first.
INLINE void fetchAhead(const void *from, size_t step, bool isStreamed) {
  enum { SecondLevel = 2, CacheLine = 64 };
  if (isStreamed) {
    __builtin_prefetch(from, 0, SecondLevel);
    if (step > CacheLine) __builtin_prefetch((const uint8_t *)from + CacheLine, 0, SecondLevel);
  } else {
    __builtin_prefetch(from);
  }
}
