// Products of bfloat16 where there are instructions for float32 alone: operands are values as
// floats, whole pairs of them.

#pragma once

#include "widenedPairs.h"

#define WIDENED_PRODUCT

PAIR_TILES(packedPairsTile, Kept);
PAIR_TILES(lonePairsTile, Lone);
#define packedTiles packedPairsTiles
#define wideTiles widePairsTiles
#define loneTiles lonePairsTiles

static size_t operandSize(size_t inputs) { return widenedCount(inputs) * sizeof(float); }

INLINE size_t summedSize(size_t inputs) { return operandSize(inputs); }

INLINE void makeOperandRow(size_t columns, const float *row, uint8_t *operands) {
  for (size_t j = 0; j < columns; j += LANES) {
    storeUpTo((float *)operands + j, vrounded(loadUpTo(row + j, columns - j)),
              widenedCount(columns) - j);
  }
}

static void makeOperands(size_t rows, size_t columns, const void *x, size_t ldx, void *operands,
                         size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    widenRow(columns, (const Value *)((const uint8_t *)x + r * ldx),
             (float *)((uint8_t *)operands + r * ldOperands));
  }
}
