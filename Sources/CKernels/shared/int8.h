// An int8 kernel set, in the vectors of vector.h and the groups of groups.h. Values are bfloat16;
// operands are whole numbers from -127 to 127, and their scales (scales.h). groups.h
// defines besides
//
//   Operand                  one of the numbers, plus OperandZero
//   dotIntegers(sums, x, w)  int32 sums += products of the numbers in a group. Where it adds two neighbours'
//                            in 16 bits it defines ADDS_PAIRS_IN_16_BITS
//   bstoreOperands(p, v), bstoreOperandsn(p, v, n)  the low bits of LANES integers, or the first n
//   bmax(a, b), bandnot(a, b), bsub(a, b), asFloat32(v)   of int32; ~a & b; converted

#pragma once

#define GATE_DEGREE ROUGH_GATE_DEGREE

#include "gate.h"
#include "rotation.h"
#include "scales.h"

#ifndef OWN_TILE
INLINE bits dot(const Grouping grouping, bits sums, bits x, bits w) {
#ifdef WIDENS
  (void)grouping;
  return dotIntegers(sums, x, w);
#else
  return grouping == Pairs ? dotPairs(sums, x, w) : dotIntegers(sums, x, w);
#endif
}
#endif

#ifndef WIDENS
TILES(Pairs)
#endif
#ifdef SCALE_COLUMNS
#include "scaledTile.h"
#endif
#ifndef OWN_PRODUCT
TILES(Integers)
#define productTiles tilesIntegers
#endif

// What turns numbers into whole ones. A row without a finite size has the scale NaN, and so has
// all that is made of it.
typedef struct Rounding {
  float scale, factor;
} Rounding;

INLINE Rounding rounding(bits largest) {
  const float size = vlargest(asFloats(largest)), sum = vsum(asFloats(largest));
  // NaN is not the largest float, but it is in the sum.
  const float bound = sum != sum ? sum : size;
  return (Rounding){bound / 127 + (bound - bound), bound > 1e-30f ? 127 / bound : 0};
}

// Whole numbers in the low bits: adding 1.5 · 2^23 rounds.
INLINE bits wholeNumbers(vec v, vec factor, int zero) {
  return asBits(vfma(v, factor, vset(0x1.8p23f + (float)zero)));
}

// Makes the numbers of columns that have one scale, which it returns. Pieces are rotated once if they fit into
// `rotated`, else twice.
INLINE float roundColumns(const bool isValues, size_t first, size_t end, const void *x,
                          uint8_t *operands) {
#ifdef SCALE_COLUMNS
  enum { Fitting = SCALE_COLUMNS };
#else
  enum { Fitting = 4096 };
#endif
  _Alignas(64) float rotated[Fitting];
  const bool fits = end - first <= Fitting;
  bits largest = bzeros();
  for (size_t start = first, size; start < end; start += size) {
    size = pieceSize(end - start);
    largest = rotatePiece(isValues, x, start, size, rotated + (fits ? start - first : 0), largest);
  }
  const Rounding round = rounding(largest);
  const vec factor = vset(round.factor);
  for (size_t start = first, size; start < end; start += size) {
    size = pieceSize(end - start);
    const float *piece = rotated + (fits ? start - first : 0);
    if (!fits) rotatePiece(isValues, x, start, size, rotated, largest);
    for (size_t j = 0; j < size; j += LANES) {
      Operand *to = (Operand *)operands + start + j;
      const size_t n = size - j;
      const bits numbers = wholeNumbers(loadUpTo(piece + j, n), factor, OperandZero);
      if (n >= LANES) {
        bstoreOperands(to, numbers);
      } else {
        bstoreOperandsn(to, numbers, n);
      }
    }
  }
  return round.scale;
}

INLINE void makeRow(const bool isValues, size_t columns, const void *x, uint8_t *operands) {
  const size_t used = columns * sizeof(Operand), all = numbersSize(columns);
  uint8_t *scales = operands + all;
  for (size_t first = 0, end; first < columns; first = end) {
    end = scaleEnd(first, columns);
    const float scale = roundColumns(isValues, first, end, x, operands);
    memcpy(scales, &scale, sizeof scale);
    scales += sizeof scale;
  }
  // Weights are zero where a last group has no input.
  memset(operands + used, 0, all - used);
}

INLINE void makeOperandRow(size_t columns, const float *row, uint8_t *operands) {
  makeRow(false, columns, row, operands);
}

static void makeOperands(size_t rows, size_t columns, const void *x, size_t ldx, void *operands,
                         size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    makeRow(true, columns, (const uint8_t *)x + r * ldx, (uint8_t *)operands + r * ldOperands);
  }
}

// The largest size of a piece of weights and, where two products are added in 16 bits, of a sum of two neighbours.
// Rounded to 127 of it, two of the same sign are at most 128 together, and 255 · 128 < 2^15.
INLINE bits largestWeight(const float *weights, size_t start, size_t size, float *rotated,
                          bits largest) {
  largest = rotatePiece(false, weights, start, size, rotated, largest);
#ifdef ADDS_PAIRS_IN_16_BITS
  float sums[MostRotated / 2];
  for (size_t j = 0; j + 1 < size; j += 2) sums[j / 2] = rotated[j] + rotated[j + 1];
  for (size_t j = 0; j < size / 2; j += LANES) {
    largest = largerSize(largest, loadUpTo(sums + j, size / 2 - j));
  }
#endif
  return largest;
}

// Packs the inputs from `first` to `end`, which have one scale, of rows of so many.
static void packColumns(size_t rows, size_t inputs, size_t first, size_t end, const float *weights,
                        uint8_t *packed) {
  // A weight is a number of an operand's size, and has no zero added.
  typedef union Numbers {
    Operand weights[MostRotated];
    uint32_t words[MostRotated / GroupSize];
  } Numbers;
  Rounding rounds[PanelColumns];
  ColumnTerms terms = {0};
  _Alignas(64) float rotated[MostRotated];
  for (size_t r = 0; r < rows; r++) {
    bits largest = bzeros();
    for (size_t start = first, size; start < end; start += size) {
      size = pieceSize(end - start);
      largest = largestWeight(weights + r * inputs, start, size, rotated, largest);
    }
    rounds[r] = rounding(largest);
    terms.scales[r] = rounds[r].scale / (ROTATION_LENGTH * ROTATION_LENGTH);
  }
  for (size_t start = first, size; start < end; start += size) {
    size = pieceSize(end - start);
    _Alignas(64) Numbers numbers[PanelColumns];
    memset(numbers, 0, sizeof numbers);
    for (size_t r = 0; r < rows; r++) {
      rotatePiece(false, weights + r * inputs, start, size, rotated, bzeros());
      for (size_t j = 0; j < size; j += LANES) {
        const size_t n = least(LANES, size - j);
        int32_t whole[LANES];
        bstore(whole, wholeNumbers(loadUpTo(rotated + j, n), vset(rounds[r].factor), 0));
        for (size_t i = 0; i < n; i++) {
          const int32_t number = (int8_t)whole[i];
          numbers[r].weights[j + i] = (Operand)number;
          terms.offsets[r] += OperandZero * number;
        }
      }
    }
    packPanel(rows, (size + GroupSize - 1) / GroupSize, (const float *)numbers,
              MostRotated / GroupSize,
              (float *)packed + (start - first) / GroupSize * PanelColumns);
  }
  memcpy(packed + numbersSize(end - first) * PanelColumns, &terms, sizeof terms);
}

static void packRows(size_t rows, size_t inputs, const float *weights, uint8_t *packed) {
  for (size_t first = 0, end; first < inputs; first = end) {
    end = scaleEnd(first, inputs);
    packColumns(rows, inputs, first, end, weights, packed);
    packed += numbersSize(end - first) * PanelColumns + sizeof(ColumnTerms);
  }
}

static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, void *packed) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    const size_t first = p * PanelColumns;
    packRows(least(PanelColumns, outputs - first), inputs, weights + first * inputs,
             (uint8_t *)packed + p * panelSize(inputs));
  }
}

typedef struct RowTerms {
  float scale;
} RowTerms;

INLINE RowTerms rowTerms(const uint8_t *row, size_t inputs) {
  RowTerms terms;
  memcpy(&terms, row + numbersSize(inputs), sizeof terms);
  return terms;
}

INLINE size_t summedSize(size_t inputs) { return numbersSize(inputs); }

INLINE vec total(bits sums, RowTerms row, const uint8_t *panel, size_t inputs, size_t j,
                 vec bias) {
#ifdef SCALE_COLUMNS  // a tile's sums are scaled
  (void)row, (void)panel, (void)inputs, (void)j;
  return asFloats(sums) + bias;
#else
  const ColumnTerms *terms =
      (const ColumnTerms *)(panel + panelSize(inputs) - sizeof(ColumnTerms));
  const vec whole = asFloat32(bsub(sums, bload(terms->offsets + j)));
  return vfma(whole, vset(row.scale) * vload(terms->scales + j), bias);
#endif
}

#include "groupProduct.h"
#include "pairAttention.h"
#include "elements.h"
#include "normalization.h"

#if defined(WIDENS) || defined(OWN_TILE)
#define PEAK_DOT peakIntegers
#else
#define PEAK_DOT dotIntegers
#endif
#ifndef OWN_PRODUCT
#include "groupPeak.h"
#endif
#include "set.h"
