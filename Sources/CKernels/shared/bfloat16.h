// A bfloat16 kernel set, in the vectors of vector.h and the groups of groups.h: values are
// operands.

#pragma once

#define GATE_DEGREE ROUGH_GATE_DEGREE

#include "gate.h"
#include "values.h"

#ifdef WIDENS
#include "widenedOperands.h"
#else
#ifndef OWN_TILE
INLINE bits dot(const Grouping grouping, bits sums, bits x, bits w) {
  (void)grouping;
  return dotPairs(sums, x, w);
}
#endif

TILES(Pairs)
#define productTiles tilesPairs

static size_t operandSize(size_t inputs) { return inputs * ValueSize; }

INLINE size_t summedSize(size_t inputs) { return inputs * ValueSize; }

INLINE void makeOperandRow(size_t columns, const float *row, uint8_t *operands) {
  for (size_t j = 0; j < columns; j += LANES) {
    storeValues((Value *)operands + j, loadUpTo(row + j, columns - j), columns - j);
  }
}
#endif

static size_t panelSize(size_t inputs) { return (inputs + 1) / 2 * PanelColumns * 4; }

static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, void *packed) {
  enum { Block = 64 };
  for (size_t p = firstPanel; p < endPanel; p++) {
    const size_t first = p * PanelColumns, rows = least(PanelColumns, outputs - first);
    float *panel = (float *)((uint8_t *)packed + p * panelSize(inputs));
    for (size_t k = 0; k < inputs; k += Block) {
      const size_t count = least(Block, inputs - k);
      _Alignas(64) Value rounded[PanelColumns][Block];
      for (size_t r = 0; r < rows; r++) {
        const float *row = weights + (first + r) * inputs + k;
        // The half of a last pair that no input belongs to is zero.
        for (size_t j = 0; j < count; j += LANES) {
          vnarrow(rounded[r] + j, loadUpTo(row + j, count - j));
        }
      }
      packPanel(rows, (count + 1) / 2, (const float *)rounded, Block / 2,
                panel + k / 2 * PanelColumns);
    }
  }
}

typedef struct RowTerms {
  char none;
} RowTerms;

INLINE RowTerms rowTerms(const uint8_t *row, size_t inputs) {
  (void)row;
  (void)inputs;
  return (RowTerms){0};
}

INLINE vec total(bits sums, RowTerms terms, const uint8_t *panel, size_t inputs, size_t j,
                 vec bias) {
  (void)terms;
  (void)panel;
  (void)inputs;
  (void)j;
  return asFloats(sums) + bias;
}

#include "groupProduct.h"
#include "pairAttention.h"
#include "elements.h"
#include "normalization.h"

#if defined(WIDENS) || defined(OWN_TILE)
#define PEAK_DOT peakPairs
#else
#define PEAK_DOT dotPairs
#endif
enum { GroupSize = 2 };
#ifndef OWN_PRODUCT
#include "groupPeak.h"
#endif
#include "set.h"
