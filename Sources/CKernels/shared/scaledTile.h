// The tile of int8 where SCALE_COLUMNS columns have a scale: exact sums of so many are scaled, and added as floats.

#pragma once

#include "scales.h"

// Groups that take as much of a panel as its terms.
enum { TermGroups = sizeof(ColumnTerms) / (PanelColumns * 4) };

INLINE size_t fetchedGroups(size_t bytes) { return bytes / 4 + scaleCount(bytes) * TermGroups; }

// The sums of one tile, [rows, PanelColumns] = x · panel, as floats. `rows` is a constant at each use.
INLINE void tile(const Grouping grouping, const size_t rows, size_t bytes, const uint8_t *x,
                 size_t ldx, const uint32_t *panel, Ahead ahead, uint32_t *y, size_t ldy) {
  const uint8_t *starts[ROW_POINTERS], *scales[ROW_POINTERS];
  pointAtRows(rows, x, ldx, starts);
  pointAtRows(rows, x + bytes, ldx, scales);
  for (size_t first = 0, end; first < bytes; first = end) {
    end = scaleEnd(first, bytes);
    const size_t groups = (end - first) / 4;
    const ColumnTerms *terms = (const ColumnTerms *)(panel + groups * PanelColumns);
    bits sums[TILE_ROWS][2];
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      sums[r][0] = bsub(bzeros(), bload(terms->offsets));
      sums[r][1] = bsub(bzeros(), bload(terms->offsets + LANES));
    }
    panel = addGroups(grouping, rows, groups, sums, starts, ldx, panel, &ahead);
    panel += TermGroups * PanelColumns;
    fetchGroups(&ahead, TermGroups);
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      float scale;
      memcpy(&scale, rowAt(scales, r, ldx), sizeof scale);
      UNROLL
      for (size_t half = 0; half < 2; half++) {
        float *total = (float *)y + r * ldy + half * LANES;
        const vec before = first == 0 ? vset(0) : vload(total);
        const vec factor = vset(scale) * vload(terms->scales + half * LANES);
        vstore(total, vfma(asFloat32(sums[r][half]), factor, before));
      }
    }
    advanceRows(rows, sizeof(float), scales);
  }
}
