// The tile of groups, in the place of ../shared/groups.h's: eight bytes of a row at a time, for a load
// that fills all lanes with one group takes a vector unit from the multiply-adds.

#pragma once

#include "groups.h"

#define OWN_TILE
#define STEP_BYTES 8
#define STEP_ROWS TILE_ROWS
#include "../shared/groups.h"
#include "../shared/rest.h"

// Keeps the compiler from loading later rows before this one, for which it would spill sums.
#define KEEP_ORDER(POINTER, SUMS) \
  __asm__ volatile("" : "+r"(POINTER), "+w"((SUMS)[0]), "+w"((SUMS)[1]))

#if HAS_MATRIX

// A multiply-add takes eight bytes of two rows and of two columns, and has a sum for each of the four.
enum { ColumnPairs = PanelColumns / 2 };

INLINE bits multiplyMatrices(const Grouping grouping, bits sums, bits x, bits w) {
  return grouping == Pairs
             ? asBits(vbfmmlaq_f32(asFloats(sums), (bfloat16x8_t)x, (bfloat16x8_t)w))
             : (bits)vmmlaq_s32((int32x4_t)sums, (int8x16_t)x, (int8x16_t)w);
}

typedef bits Sums[TILE_ROWS / 2][ColumnPairs];

INLINE void tileStep(const Grouping grouping, const size_t rows, Sums sums, const uint8_t *x,
                     size_t ldx, const uint32_t *panel) {
  bits columns[ColumnPairs];
  UNROLL
  for (size_t j = 0; j < ColumnPairs; j += 2) {
    const bits first = bload(panel + 2 * j), second = bload(panel + PanelColumns + 2 * j);
    columns[j] = vzip1q_u32(first, second);
    columns[j + 1] = vzip2q_u32(first, second);
  }
  UNROLL
  for (size_t r = 0; r < rows; r += 2) {
    // A last row without a second is multiplied twice.
    const uint8x8_t row = vld1_u8(x), next = r + 1 < rows ? vld1_u8(x + ldx) : row;
    const bits pair = vreinterpretq_u32_u8(vcombine_u8(row, next));
    UNROLL
    for (size_t j = 0; j < ColumnPairs; j++) {
      sums[r / 2][j] = multiplyMatrices(grouping, sums[r / 2][j], pair, columns[j]);
    }
    if (r + 2 < rows) x += 2 * ldx;
    KEEP_ORDER(x, sums[r / 2]);
  }
}

INLINE void storeSums(const size_t rows, Sums sums, uint32_t *y, size_t ldy) {
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    UNROLL
    for (size_t half = 0; half < 2; half++) {
      const uint64x2_t a = vreinterpretq_u64_u32(sums[r / 2][2 * half]);
      const uint64x2_t b = vreinterpretq_u64_u32(sums[r / 2][2 * half + 1]);
      bstore(y + r * ldy + half * LANES,
             vreinterpretq_u32_u64(r % 2 == 0 ? vzip1q_u64(a, b) : vzip2q_u64(a, b)));
    }
  }
}

#else

// sums += the products of a group of x, the first or second of eight bytes, and LANES groups of
// weights.
INLINE bits addGroup(const Grouping grouping, bits sums, uint8x8_t x, const int group, bits w) {
#if HAS_DOT
  if (grouping == Integers) {
    const int8x8_t numbers = vreinterpret_s8_u8(x);
    const int32x4_t before = vreinterpretq_s32_u32(sums);
    const int8x16_t weights = vreinterpretq_s8_u32(w);
    return vreinterpretq_u32_s32(group == 0 ? vdotq_lane_s32(before, weights, numbers, 0)
                                            : vdotq_lane_s32(before, weights, numbers, 1));
  }
#endif
  (void)grouping;
  // As floats, the second of the pair first.
  const vec all = asFloats(vshll_n_u16(vreinterpret_u16_u8(x), 16));
  const vec odd = asFloats(vandq_u32(w, bset((int32_t)0xffff0000))), even = asFloats(bhigh(w));
  const vec once = group == 0 ? vfmaq_laneq_f32(asFloats(sums), odd, all, 1)
                              : vfmaq_laneq_f32(asFloats(sums), odd, all, 3);
  return asBits(group == 0 ? vfmaq_laneq_f32(once, even, all, 0)
                           : vfmaq_laneq_f32(once, even, all, 2));
}

typedef bits Sums[TILE_ROWS][2];

INLINE void tileStep(const Grouping grouping, const size_t rows, Sums sums, const uint8_t *x,
                     size_t ldx, const uint32_t *panel) {
  const bits left0 = bload(panel), right0 = bload(panel + LANES);
  const bits left1 = bload(panel + 2 * LANES), right1 = bload(panel + 3 * LANES);
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    const uint8x8_t row = vld1_u8(x);
    sums[r][0] = addGroup(grouping, sums[r][0], row, 0, left0);
    sums[r][1] = addGroup(grouping, sums[r][1], row, 0, right0);
    sums[r][0] = addGroup(grouping, sums[r][0], row, 1, left1);
    sums[r][1] = addGroup(grouping, sums[r][1], row, 1, right1);
    if (r + 1 < rows) x += ldx;
    KEEP_ORDER(x, sums[r]);
  }
}

INLINE void storeSums(const size_t rows, Sums sums, uint32_t *y, size_t ldy) {
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    bstore(y + r * ldy, sums[r][0]);
    bstore(y + r * ldy + LANES, sums[r][1]);
  }
}

#endif

INLINE void tile(const Grouping grouping, const size_t rows, size_t bytes, const uint8_t *x,
                 size_t ldx, const uint32_t *panel, Ahead ahead, uint32_t *y, size_t ldy) {
  Sums sums;
  UNROLL
  for (size_t i = 0; i < sizeof sums / sizeof **sums; i++) ((bits *)sums)[i] = bzeros();
  const uint8_t *from = ahead.from;
  Rest rest;
  size_t steps = bytes / STEP_BYTES, left = bytes % STEP_BYTES;
  while (true) {
    for (; steps > 0; steps--) {
      __builtin_prefetch(from);
      from += 2 * ahead.step;
      tileStep(grouping, rows, sums, x, ldx, panel);
      x += STEP_BYTES;
      panel += 2 * PanelColumns;
    }
    if (left == 0) break;
    copyRest(rows, left, x, ldx, panel, &rest);
    x = rest.rows;
    ldx = STEP_BYTES;
    panel = rest.panel;
    steps = 1;
    left = 0;
  }
  storeSums(rows, sums, y, ldy);
}
