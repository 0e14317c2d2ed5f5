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

// Brings so many bytes to the cache. If streamed, to the second-level one, where they need not wait
// for one of the few lines that can be on their way to the first.
INLINE void fetchAhead(const void *from, size_t bytes, bool isStreamed) {
  enum { SecondLevel = 2, CacheLine = 64 };
  const uint8_t *const end = (const uint8_t *)from + bytes;
  for (const uint8_t *line = from; line < end; line += CacheLine) {
    if (isStreamed) {
      __builtin_prefetch(line, 0, SecondLevel);
    } else {
      __builtin_prefetch(line);
    }
  }
}

// While the tiles of a panel are computed, each prefetches a part of the next panel, term by term: of a term's
// `size` bytes or floats tile t fetches those from t times the result on. 0 where the tiles before it fetch all.
INLINE size_t fetchStep(size_t size, size_t tiles, size_t t) {
  const size_t step = (size + tiles - 1) / tiles;
  return t * step < size ? step : 0;
}

// The inner loops take StepLength terms, or groups, at a time. One pointer serves three rows: addresses of
// x86 hold base + index, and base + index · 2. Two threads of a core share its decoder, so each further
// instruction costs a multiply-add.
enum { StepLength = 4, RowsOfPointer = 3 };
#define ROW_POINTERS ((TILE_ROWS + RowsOfPointer - 1) / RowsOfPointer)

INLINE void pointAtRows(const size_t rows, const void *x, size_t ldx, const uint8_t *starts[]) {
  UNROLL
  for (size_t r = 0; r < rows; r += RowsOfPointer) {
    starts[r / RowsOfPointer] = (const uint8_t *)x + r * ldx;
  }
}

INLINE void advanceRows(const size_t rows, size_t bytes, const uint8_t *starts[]) {
  UNROLL
  for (size_t r = 0; r < rows; r += RowsOfPointer) {
    starts[r / RowsOfPointer] += bytes;
    // Or the compiler adds a common offset to each row's address again.
    __asm__("" : "+r"(starts[r / RowsOfPointer]));
  }
}

INLINE const uint8_t *rowAt(const uint8_t *const starts[], size_t r, size_t ldx) {
  return starts[r / RowsOfPointer] + r % RowsOfPointer * ldx;
}
