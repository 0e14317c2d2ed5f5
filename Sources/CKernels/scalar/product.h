// Products of values, with float sums.

#pragma once

#if __INCLUDE_LEVEL__ == 0  // read alone, by an editor
#include "bfloat16.h"
#endif

static size_t operandSize(size_t inputs) { return inputs * sizeof(Value); }

static size_t panelSize(size_t inputs) {
  return (PanelColumns * inputs * sizeof(Value) + 3) / 4 * 4;
}

static void makeOperandRow(size_t columns, const float *row, void *operands) {
  if (sizeof(Value) == sizeof(float)) return;
  for (size_t j = 0; j < columns; j++) ((Value *)operands)[j] = narrowed(row[j]);
}

#include "common.h"

static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, void *packed) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    Value *panel = (Value *)packed + p * PanelColumns * inputs;
    for (size_t k = 0; k < inputs; k++) {
      for (size_t j = 0; j < PanelColumns; j++) {
        const size_t output = p * PanelColumns + j;
        panel[k * PanelColumns + j] =
            narrowed(output < outputs ? weights[output * inputs + k] : 0);
      }
    }
  }
}

// Shorter than the others' PartialSumLength: without fused multiply-adds each term is rounded too.
enum { SumLength = 32 };

// Up to TileRows rows of x times a panel.
static void tile(size_t rows, size_t inputs, const Value *x, size_t ldx, const Value *panel,
                 float total[TileRows][PanelColumns]) {
  memset(total, 0, sizeof(float[TileRows][PanelColumns]));
  for (size_t start = 0; start < inputs; start += SumLength) {
    const size_t end = inputs - start < SumLength ? inputs : start + SumLength;
    float sums[TileRows][PanelColumns] = {0};
    for (size_t k = start; k < end; k++) {
      for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < PanelColumns; j++) {
          sums[r][j] +=
              widened(x[r * ldx + k]) * widened(panel[k * PanelColumns + j]);
        }
      }
    }
    for (size_t r = 0; r < rows; r++) {
      for (size_t j = 0; j < PanelColumns; j++) total[r][j] += sums[r][j];
    }
  }
}

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *x, size_t ldx, const float *residual, size_t ldResidual, void *y,
                    size_t ldy) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    for (size_t start = 0; start < rows; start += TileRows) {
      const size_t height = rows - start < TileRows ? rows - start : TileRows;
      float sums[TileRows][PanelColumns];
      tile(height, layer->inputs, (const Value *)((const uint8_t *)x + start * ldx),
           ldx / sizeof(Value),
           (const Value *)layer->weights + p * PanelColumns * layer->inputs, sums);
      for (size_t r = 0; r < height; r++) {
        for (size_t j = 0; j < PanelColumns && p * PanelColumns + j < layer->outputs; j++) {
          const size_t column = p * PanelColumns + j;
          storeResult(layer, residual, ldResidual, start + r, column,
                      sums[r][j] + layer->bias[column], y, ldy);
        }
      }
    }
  }
}
