// Products of bfloat16 where there are instructions for float32 alone: panels are packed in pairs. The first tile of
// a piece of a panel widens it, and leaves it widened in the first-level cache for the other tiles. A group of x is
// two floats. groups.h defines besides
//
//   bevens(v), bodds(v)      of bfloat16 pairs, as floats

#pragma once

#include "groups.h"

enum {
  // Bytes of a group of x, and of the weights that it is multiplied by.
  WideGroup = 8,
  PackedGroup = PanelColumns * 4,
  // Groups of a piece: 24 KB, and the rows of a tile beside them.
  MostGroups = 192,
  // Rows whose sums are kept from piece to piece.
  MostRows = 288,
};

// Where a tile has weights from: packed, and left widened for the tiles after it; so left by
// another; or packed, for the only tile.
typedef enum Weights { Kept, Widened, Lone } Weights;

// What a word of a group is multiplied by: two registers. `wide` holds the word that is multiplied
// first in front.
INLINE void loadWord(const Weights from, const bool isFirst,
                     const uint8_t *packed, uint32_t *wide, bits *left, bits *right) {
  if (from != Widened) {
    const bits first = bload(packed), second = bload(packed + PackedGroup / 2);
    *left = isFirst ? bevens(first) : bodds(first);
    *right = isFirst ? bevens(second) : bodds(second);
    if (from == Kept) {
      bstore(wide, *left);
      bstore(wide + LANES, *right);
    }
  } else {
    *left = bload(wide);
    *right = bload(wide + LANES);
  }
}

// Of pairs the second is added first, as dotPairs does.
INLINE void addPairs(const Weights from, const size_t rows, const uint8_t *const starts[2],
                     size_t ldx, const uint8_t *packed, uint32_t *wide, bits sums[TILE_ROWS][2]) {
  UNROLL
  for (size_t i = 0; i < 2; i++) {
    bits left, right;
    loadWord(from, i == 1, packed, wide + i * PanelColumns, &left, &right);
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      const uint8_t *row = starts[r >= rows / 2] + (r >= rows / 2 ? r - rows / 2 : r) * ldx;
      const vec x = asFloats(bset(loadGroup(row + (i == 0 ? 4 : 0), 4)));
      sums[r][0] = asBits(vfma(x, asFloats(left), asFloats(sums[r][0])));
      sums[r][1] = asBits(vfma(x, asFloats(right), asFloats(sums[r][1])));
    }
  }
}

// Sums of one tile, += the products of so many groups of x and a panel. `rows` is a constant at each
// use.
INLINE void wideTile(const Weights from, const size_t rows, size_t groups, const uint8_t *x,
                     size_t ldx, const uint8_t *packed, uint32_t *wide, const uint8_t *ahead,
                     size_t aheadStep, bool isFirst, uint32_t *y, size_t ldy) {
  bits sums[TILE_ROWS][2];
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    sums[r][0] = isFirst ? bzeros() : bload(y + r * ldy);
    sums[r][1] = isFirst ? bzeros() : bload(y + r * ldy + LANES);
  }
  // Two pointers, so that the distances of rows take fewer registers.
  const uint8_t *starts[2] = {x, x + rows / 2 * ldx};
  for (size_t i = 0; i < groups; i++) {
    // To the second-level cache: the first is full, and a packed panel is read once.
    __builtin_prefetch(ahead, 0, 2);
    ahead += aheadStep;
    addPairs(from, rows, starts, ldx, packed, wide, sums);
    packed += PackedGroup;
    wide += 2 * PanelColumns;
    starts[0] += WideGroup;
    starts[1] += WideGroup;
  }
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    bstore(y + r * ldy, sums[r][0]);
    bstore(y + r * ldy + LANES, sums[r][1]);
  }
}

typedef void WideTile(size_t groups, const uint8_t *x, size_t ldx, const uint8_t *packed,
                      uint32_t *wide, const uint8_t *ahead, size_t aheadStep, bool isFirst,
                      uint32_t *y, size_t ldy);

#define WIDE_TILE(NAME, FROM, ROWS)                                                           \
  static __attribute__((noinline)) void NAME##ROWS(                                           \
      size_t groups, const uint8_t *x, size_t ldx, const uint8_t *packed, uint32_t *wide,     \
      const uint8_t *ahead, size_t aheadStep, bool isFirst, uint32_t *y, size_t ldy) {        \
    wideTile(FROM, ROWS, groups, x, ldx, packed, wide, ahead, aheadStep, isFirst, y, ldy);    \
  }

#define PAIR_TILES(NAME, FROM)                                                                \
  WIDE_TILE(NAME, FROM, 1) WIDE_TILE(NAME, FROM, 2)                                           \
  WIDE_TILE(NAME, FROM, 3) WIDE_TILE(NAME, FROM, 4)                                           \
  WIDE_TILE(NAME, FROM, 5) WIDE_TILE(NAME, FROM, 6)                                           \
  static WideTile *const NAME##s[] = {0,       NAME##1, NAME##2, NAME##3,                     \
                                      NAME##4, NAME##5, NAME##6};                             \
  _Static_assert(sizeof NAME##s / sizeof *NAME##s == TILE_ROWS + 1,                           \
                 "a tile for every height")
