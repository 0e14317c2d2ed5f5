// An int8 kernel set, in the vectors of vector.h and the groups of groups.h. Values are bfloat16;
// operands are whole numbers from -127 to 127 and their scale, the same for a row. groups.h
// defines besides
//
//   Operand                  one of the numbers, plus OperandZero
//   dotIntegers(sums, x, w)  int32 sums += products of the numbers in a group
//   bstoreOperands(p, v), bstoreOperandsn(p, v, n)  the low bits of LANES integers, or the first n
//   bmax(a, b), bandnot(a, b), bsub(a, b), asFloat32(v)   of int32; ~a & b; converted
//
// Weights are packed as operands are, or, by a set that widens panels, as widened.h says.

#pragma once

#define GATE_DEGREE ROUGH_GATE_DEGREE

#include "gate.h"
#include "rotation.h"

enum { GroupSize = 4 / sizeof(Operand) };

#ifdef WIDENS
#include "widenedIntegers.h"
#else
#ifndef OWN_TILE
INLINE bits dot(const Grouping grouping, bits sums, bits x, bits w) {
  return grouping == Pairs ? dotPairs(sums, x, w) : dotIntegers(sums, x, w);
}
#endif

TILES(Pairs)
#ifndef OWN_PRODUCT
TILES(Integers)
#define productTiles tilesIntegers
#endif

// A weight is a number of an operand's size, and has no zero added.
typedef Operand Weight;
INLINE size_t weightPlace(size_t i) { return i; }

// Bytes of a row's numbers: whole groups.
INLINE size_t numbersSize(size_t inputs) { return (inputs * sizeof(Operand) + 3) / 4 * 4; }
#endif

enum { WordWeights = 4 / sizeof(Weight) };

// Behind a row's numbers.
typedef struct RowTerms {
  float scale;
#ifdef WIDENS
  int32_t excess;
#endif
} RowTerms;

static size_t operandSize(size_t inputs) { return numbersSize(inputs) + sizeof(RowTerms); }

// Behind a panel's numbers.
typedef struct ColumnTerms {
  // The weights' scales.
  float scales[PanelColumns];
  // What the sums have too much: by OperandZero, or see widenedIntegers.h.
  int32_t offsets[PanelColumns];
} ColumnTerms;

static size_t panelSize(size_t inputs) {
  return numbersSize(inputs) / sizeof(Operand) * sizeof(Weight) * PanelColumns +
         sizeof(ColumnTerms);
}

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

// Makes an operand row. Pieces are rotated once if they fit into `rotated`, else twice.
INLINE void makeRow(const bool isValues, size_t columns, const void *x, uint8_t *operands) {
  enum { Fitting = 4096 };
  _Alignas(64) float rotated[Fitting];
  const bool fits = columns <= Fitting;
  bits largest = bzeros();
  for (size_t start = 0, size; start < columns; start += size) {
    size = pieceSize(columns - start);
    largest = rotatePiece(isValues, x, start, size, rotated + (fits ? start : 0), largest);
  }
  const Rounding round = rounding(largest);
  const vec factor = vset(round.factor);
  for (size_t start = 0, size; start < columns; start += size) {
    size = pieceSize(columns - start);
    const float *piece = rotated + (fits ? start : 0);
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
  // Weights are zero where a last group has no input.
  const size_t used = columns * sizeof(Operand), all = numbersSize(columns);
  memset(operands + used, 0, all - used);
  const RowTerms terms = {
      .scale = round.scale,
#ifdef WIDENS
      .excess = excessOfRow((const Operand *)operands, columns),
#endif
  };
  memcpy(operands + all, &terms, sizeof terms);
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

static void packRows(size_t rows, size_t inputs, const float *weights, uint8_t *packed) {
  typedef union Numbers {
    Weight weights[MostRotated];
    uint32_t words[MostRotated / WordWeights];
  } Numbers;
  Rounding rounds[PanelColumns];
  ColumnTerms terms = {0};
  _Alignas(64) float rotated[MostRotated];
  for (size_t r = 0; r < rows; r++) {
    bits largest = bzeros();
    for (size_t start = 0, size; start < inputs; start += size) {
      size = pieceSize(inputs - start);
      largest = rotatePiece(false, weights + r * inputs, start, size, rotated, largest);
    }
    rounds[r] = rounding(largest);
    terms.scales[r] = rounds[r].scale / (ROTATION_LENGTH * ROTATION_LENGTH);
  }
  for (size_t start = 0, size; start < inputs; start += size) {
    size = pieceSize(inputs - start);
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
          numbers[r].weights[weightPlace(j + i)] = (Weight)number;
          terms.offsets[r] += OperandZero * number;
        }
      }
#ifdef WIDENS
      terms.offsets[r] += excessOfWeights(numbers[r].weights, size);
#endif
    }
    packPanel(rows, (size + WordWeights - 1) / WordWeights, (const float *)numbers,
              MostRotated / WordWeights, (float *)packed + start / WordWeights * PanelColumns);
  }
  memcpy(packed + panelSize(inputs) - sizeof terms, &terms, sizeof terms);
}

static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, void *packed) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    const size_t first = p * PanelColumns;
    packRows(least(PanelColumns, outputs - first), inputs, weights + first * inputs,
             (uint8_t *)packed + p * panelSize(inputs));
  }
}

INLINE RowTerms rowTerms(const uint8_t *row, size_t inputs) {
  RowTerms terms;
  memcpy(&terms, row + numbersSize(inputs), sizeof terms);
  return terms;
}

INLINE size_t summedSize(size_t inputs) { return numbersSize(inputs); }

INLINE vec total(bits sums, RowTerms row, const uint8_t *panel, size_t inputs, size_t j,
                 vec bias) {
  const ColumnTerms *terms =
      (const ColumnTerms *)(panel + panelSize(inputs) - sizeof(ColumnTerms));
#ifdef WIDENS
  sums = bsub(sums, bset(row.excess));
#endif
  const vec whole = asFloat32(bsub(sums, bload(terms->offsets + j)));
  return vfma(whole, vset(row.scale) * vload(terms->scales + j), bias);
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
