// int8 whose weights are packed in bytes and widened to 16 bits, two a word.

#pragma once

#include "widenedPairs.h"

INTEGER_TILES(packedIntegersTile, Kept);
INTEGER_TILES(wideIntegersTile, Widened);
INTEGER_TILES(loneIntegersTile, Lone);
#define packedTiles packedIntegersTiles
#define wideTiles wideIntegersTiles
#define loneTiles loneIntegersTiles
enum { WideRows = IntegerRows };

// Four neighbouring inputs: the low bytes of two 16-bit integers are the first word, the high ones
// the second.
typedef int8_t Weight;
INLINE size_t weightPlace(size_t i) {
  const size_t in = i % 4;
  return i - in + (in % 2 * 2 + in / 2);
}

// Bytes of a row's numbers: whole groups.
INLINE size_t numbersSize(size_t inputs) {
  return (inputs * sizeof(Operand) + WideGroup - 1) / WideGroup * WideGroup;
}

// What the sums have too much of each row, and of each column of weights as they are packed: the
// products of the two words of its groups.
INLINE int32_t excessOfRow(const Operand *row, size_t inputs) {
  int32_t sum = 0;
  for (size_t i = 0; i < numbersSize(inputs) / sizeof *row; i += 4) {
    sum += row[i] * row[i + 2] + row[i + 1] * row[i + 3];
  }
  return sum;
}

INLINE int32_t excessOfWeights(const Weight *weights, size_t inputs) {
  int32_t sum = 0;
  for (size_t i = 0; i < (inputs + 3) / 4 * 4; i += 2) sum += weights[i] * weights[i + 1];
  return sum;
}
