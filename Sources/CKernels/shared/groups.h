// Products of groups: 32 bits that hold as many neighbouring elements of a row as fit. A panel is
// [groups, PanelColumns], so a lane's multiply-add takes a group of x and a group of weights. A
// kernel set's groups.h defines, on top of what vector.h asks for:
//
//   bits                     LANES groups, or LANES sums
//   bzeros(), bset(group), bload(p), bstore(p, v), asFloats(v), asBits(v)
//   bwiden(p), bwidenn(p, n) LANES 16-bit numbers, or the first n < LANES and zeros
//   bhigh(v), bor(a, b)      shifted left by 16 bits; either
//   vnarrow(p, v), vnarrown(p, v, n)  LANES floats, or the first n < LANES, to bfloat16, to nearest
//                            even; NaN stays NaN
//   dotPairs(sums, x, w)     float sums += the two products of bfloat16 pairs
//
// and, for int8, dotIntegers (see int8.h). It may define OWN_TILE and, instead of these two, a `tile` of
// its own. A set without instructions for pairs of bfloat16 defines
// WIDENS, and what widened.h asks for, instead of dotPairs.

#pragma once

#include "panel.h"

typedef enum Grouping { Pairs, Integers } Grouping;

INLINE int32_t loadGroup(const uint8_t *p, size_t bytes) {
  int32_t group = 0;
  memcpy(&group, p, bytes);
  return group;
}

// Brought to the cache on the way, `step` bytes for each group, StepLength groups at a time.
typedef struct Ahead {
  const uint8_t *from;
  size_t step;
  bool isStreamed;
} Ahead;

#if !defined(OWN_TILE) && (!defined(WIDENS) || defined(SCALE_COLUMNS))
INLINE bits dot(const Grouping grouping, bits sums, bits x, bits w);

INLINE void addGroup(const Grouping grouping, const size_t rows, bits sums[TILE_ROWS][2],
                     const uint8_t *const starts[], size_t ldx, size_t offset, size_t bytes,
                     const uint32_t *panel) {
  const bits left = bload(panel), right = bload(panel + LANES);
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    const bits group = bset(loadGroup(rowAt(starts, r, ldx) + offset, bytes));
    sums[r][0] = dot(grouping, sums[r][0], group, left);
    sums[r][1] = dot(grouping, sums[r][1], group, right);
  }
}

INLINE void fetchGroups(Ahead *ahead, size_t groups) {
  fetchAhead(ahead->from, groups * ahead->step, ahead->isStreamed);
  ahead->from += groups * ahead->step;
}

// Adds whole groups in their order. Returns what is behind them in the panel, and leaves `starts` behind them.
INLINE const uint32_t *addGroups(const Grouping grouping, const size_t rows, size_t groups,
                                 bits sums[TILE_ROWS][2], const uint8_t *starts[], size_t ldx,
                                 const uint32_t *panel, Ahead *ahead) {
  for (; groups >= StepLength; groups -= StepLength) {
    fetchGroups(ahead, StepLength);
    UNROLL
    for (size_t i = 0; i < StepLength; i++) {
      addGroup(grouping, rows, sums, starts, ldx, 4 * i, 4, panel + i * PanelColumns);
    }
    panel += StepLength * PanelColumns;
    advanceRows(rows, 4 * StepLength, starts);
  }
  for (; groups > 0; groups--) {
    addGroup(grouping, rows, sums, starts, ldx, 0, 4, panel);
    panel += PanelColumns;
    advanceRows(rows, 4, starts);
  }
  return panel;
}

#ifndef SCALE_COLUMNS
// The sums of one tile, [rows, PanelColumns] = x · panel, for rows of so many bytes. `rows` is a
// constant at each use, so the sums are registers. Terms are added in the order of the groups.
INLINE void tile(const Grouping grouping, const size_t rows, size_t bytes, const uint8_t *x,
                 size_t ldx, const uint32_t *panel, Ahead ahead, uint32_t *y, size_t ldy) {
  bits sums[TILE_ROWS][2];
  UNROLL
  for (size_t r = 0; r < rows; r++) sums[r][0] = sums[r][1] = bzeros();
  const uint8_t *starts[ROW_POINTERS];
  pointAtRows(rows, x, ldx, starts);
  panel = addGroups(grouping, rows, bytes / 4, sums, starts, ldx, panel, &ahead);
  // An odd number of bfloat16s.
  if (grouping == Pairs && bytes % 4 > 0) {
    addGroup(grouping, rows, sums, starts, ldx, 0, 2, panel);
  }
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    bstore(y + r * ldy, sums[r][0]);
    bstore(y + r * ldy + LANES, sums[r][1]);
  }
}
#endif
#endif

typedef void Tile(size_t bytes, const uint8_t *x, size_t ldx, const uint32_t *panel, Ahead ahead,
                  uint32_t *y, size_t ldy);

#define TILE(GROUPING, ROWS)                                                              \
  static __attribute__((noinline)) void tile##GROUPING##ROWS(                             \
      size_t bytes, const uint8_t *x, size_t ldx, const uint32_t *panel, Ahead ahead,     \
      uint32_t *y, size_t ldy) {                                                          \
    tile(GROUPING, ROWS, bytes, x, ldx, panel, ahead, y, ldy);                            \
  }
#if TILE_ROWS > 6
#define HIGH_TILES(GROUPING)                                                              \
  TILE(GROUPING, 7) TILE(GROUPING, 8) TILE(GROUPING, 9)                                   \
  TILE(GROUPING, 10) TILE(GROUPING, 11) TILE(GROUPING, 12)
#define HIGH_NAMES(GROUPING)                                                              \
  , tile##GROUPING##7, tile##GROUPING##8, tile##GROUPING##9, tile##GROUPING##10,          \
      tile##GROUPING##11, tile##GROUPING##12
#else
#define HIGH_TILES(GROUPING)
#define HIGH_NAMES(GROUPING)
#endif
#if TILE_ROWS > 12
#define HIGHEST_TILES(GROUPING) TILE(GROUPING, 13) TILE(GROUPING, 14)
#define HIGHEST_NAMES(GROUPING) , tile##GROUPING##13, tile##GROUPING##14
#else
#define HIGHEST_TILES(GROUPING)
#define HIGHEST_NAMES(GROUPING)
#endif
#define TILES(GROUPING)                                                                   \
  TILE(GROUPING, 1) TILE(GROUPING, 2) TILE(GROUPING, 3) TILE(GROUPING, 4)                 \
  TILE(GROUPING, 5) TILE(GROUPING, 6) HIGH_TILES(GROUPING) HIGHEST_TILES(GROUPING)        \
  static Tile *const tiles##GROUPING[] = {                                                \
      0,                                                                                  \
      tile##GROUPING##1, tile##GROUPING##2, tile##GROUPING##3, tile##GROUPING##4,         \
      tile##GROUPING##5, tile##GROUPING##6 HIGH_NAMES(GROUPING) HIGHEST_NAMES(GROUPING)}; \
  _Static_assert(sizeof tiles##GROUPING / sizeof *tiles##GROUPING == TILE_ROWS + 1,       \
                 "a tile for every height");
