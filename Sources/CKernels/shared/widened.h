// Products of panels whose numbers are packed in half the bytes that a multiply-add takes. The
// first tile of a piece of a panel widens it, and leaves it widened in the first-level cache for
// the other tiles. A group of x is two words, each multiplied at once by what a lane holds: two
// floats that are bfloat16, or two pairs of 16-bit integers. groups.h defines besides
//
//   bevens(v), bodds(v)      of bfloat16 pairs, as floats
//   blow(v), bhighs(v)       the low and the high bytes of 16-bit integers, with their signs
//   baddHalves(a, b)         of 16-bit integers

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

// The share of packed weights of a group's first word or its second.
INLINE bits widened(const Grouping grouping, bits packed, const bool isFirst) {
  if (grouping == Pairs) return isFirst ? bevens(packed) : bodds(packed);
  return isFirst ? blow(packed) : bhighs(packed);
}

// What a word of a group is multiplied by: two registers. `wide` holds the word that is multiplied
// first in front.
INLINE void loadWord(const Grouping grouping, const Weights from, const bool isFirst,
                     const uint8_t *packed, uint32_t *wide, bits *left, bits *right) {
  if (from != Widened) {
    *left = widened(grouping, bload(packed), isFirst);
    *right = widened(grouping, bload(packed + PackedGroup / 2), isFirst);
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
    loadWord(Pairs, from, i == 1, packed, wide + i * PanelColumns, &left, &right);
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      const uint8_t *row = starts[r >= rows / 2] + (r >= rows / 2 ? r - rows / 2 : r) * ldx;
      const vec x = asFloats(bset(loadGroup(row + (i == 0 ? 4 : 0), 4)));
      sums[r][0] = asBits(vfma(x, asFloats(left), asFloats(sums[r][0])));
      sums[r][1] = asBits(vfma(x, asFloats(right), asFloats(sums[r][1])));
    }
  }
}

// With a group's words x and x', w and w': x · w + x' · w' = (x + w') · (x' + w) - x · x' - w' · w
// (Winograd, 1968). Two multiplications with their two additions become one multiplication and
// three additions: where two of four units multiply and all four add, as on Zen 3, the two that
// multiply are then not those that all wait for. What is subtracted belongs to a row or a column
// and is known before. 16 bits hold a sum of two bytes, and 32 bits the result, even if they
// overflow on the way to it.
INLINE void addIntegers(const Weights from, const size_t rows, const uint8_t *const starts[2],
                        size_t ldx, const uint8_t *packed, uint32_t *wide,
                        bits sums[TILE_ROWS][2]) {
  bits w[2][2];
  UNROLL
  for (size_t i = 0; i < 2; i++) {
    loadWord(Integers, from, i == 0, packed, wide + i * PanelColumns, &w[i][0], &w[i][1]);
  }
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    const uint8_t *row = starts[r >= rows / 2] + (r >= rows / 2 ? r - rows / 2 : r) * ldx;
    const bits first = bset(loadGroup(row, 4)), second = bset(loadGroup(row + 4, 4));
    sums[r][0] = dotIntegers(sums[r][0], baddHalves(first, w[1][0]), baddHalves(second, w[0][0]));
    sums[r][1] = dotIntegers(sums[r][1], baddHalves(first, w[1][1]), baddHalves(second, w[0][1]));
  }
}

// Sums of one tile, += the products of so many groups of x and a panel. `rows` is a constant at each
// use.
INLINE void tile(const Grouping grouping, const Weights from, const size_t rows, size_t groups,
                 const uint8_t *x, size_t ldx, const uint8_t *packed, uint32_t *wide,
                 const uint8_t *ahead, size_t aheadStep, bool isFirst, uint32_t *y, size_t ldy) {
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
    if (grouping == Pairs) {
      addPairs(from, rows, starts, ldx, packed, wide, sums);
    } else {
      addIntegers(from, rows, starts, ldx, packed, wide, sums);
    }
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

#define WIDE_TILE(NAME, GROUPING, FROM, ROWS)                                                 \
  static __attribute__((noinline)) void NAME##ROWS(                                           \
      size_t groups, const uint8_t *x, size_t ldx, const uint8_t *packed, uint32_t *wide,     \
      const uint8_t *ahead, size_t aheadStep, bool isFirst, uint32_t *y, size_t ldy) {        \
    tile(GROUPING, FROM, ROWS, groups, x, ldx, packed, wide, ahead, aheadStep, isFirst,       \
         y, ldy);                                                                             \
  }

// The highest tiles: two registers of weights more leave fewer for sums.
enum { PairRows = 6, IntegerRows = 4 };

#define PAIR_TILES(NAME, FROM)                                                                \
  WIDE_TILE(NAME, Pairs, FROM, 1) WIDE_TILE(NAME, Pairs, FROM, 2)                             \
  WIDE_TILE(NAME, Pairs, FROM, 3) WIDE_TILE(NAME, Pairs, FROM, 4)                             \
  WIDE_TILE(NAME, Pairs, FROM, 5) WIDE_TILE(NAME, Pairs, FROM, 6)                             \
  static WideTile *const NAME##s[] = {0,       NAME##1, NAME##2, NAME##3,                     \
                                      NAME##4, NAME##5, NAME##6};                             \
  _Static_assert(sizeof NAME##s / sizeof *NAME##s == PairRows + 1 && PairRows == TILE_ROWS,   \
                 "a tile for every height")

#define INTEGER_TILES(NAME, FROM)                                                             \
  WIDE_TILE(NAME, Integers, FROM, 1) WIDE_TILE(NAME, Integers, FROM, 2)                       \
  WIDE_TILE(NAME, Integers, FROM, 3) WIDE_TILE(NAME, Integers, FROM, 4)                       \
  static WideTile *const NAME##s[] = {0, NAME##1, NAME##2, NAME##3, NAME##4};                 \
  _Static_assert(sizeof NAME##s / sizeof *NAME##s == IntegerRows + 1, "a tile for every height")
