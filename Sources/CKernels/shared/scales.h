// The scales of int8: one for a row, and one for an output's weights. Where a set's file defines SCALE_COLUMNS, one for
// so many columns of either.

#pragma once

#include "groups.h"

enum { GroupSize = 4 / sizeof(Operand) };

// Bytes of so many numbers: whole groups.
INLINE size_t numbersSize(size_t count) { return (count * sizeof(Operand) + 3) / 4 * 4; }

// The end of the columns that have one scale with the one at `start`, and how many such parts there are.
#ifdef SCALE_COLUMNS
INLINE size_t scaleEnd(size_t start, size_t columns) {
  return start + least(SCALE_COLUMNS, columns - start);
}
INLINE size_t scaleCount(size_t columns) {
  return (columns + SCALE_COLUMNS - 1) / SCALE_COLUMNS;
}
#else
INLINE size_t scaleEnd(size_t start, size_t columns) {
  (void)start;
  return columns;
}
INLINE size_t scaleCount(size_t columns) {
  (void)columns;
  return 1;
}
#endif

// A row's scales are behind its numbers.
static size_t operandSize(size_t inputs) {
  return numbersSize(inputs) + scaleCount(inputs) * sizeof(float);
}

// Behind the numbers of a panel that have one scale.
typedef struct ColumnTerms {
  // The weights' scales.
  float scales[PanelColumns];
  // What the sums have too much by OperandZero.
  int32_t offsets[PanelColumns];
} ColumnTerms;

static size_t panelSize(size_t inputs) {
  return numbersSize(inputs) * PanelColumns + scaleCount(inputs) * sizeof(ColumnTerms);
}
