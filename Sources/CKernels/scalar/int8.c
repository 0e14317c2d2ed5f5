#include "bfloat16.h"

// Rows are bytes and, behind them, their scale.
static size_t operandSize(size_t inputs) { return inputs + sizeof(float); }

static size_t panelSize(size_t inputs) { return PanelColumns * (inputs + sizeof(float)); }

enum { Block = 16, MostRotated = 16 * Block };

// See shared/rotation.h: the largest Hadamard matrices over blocks of 16 columns that fit, made
// longer by 4.
static size_t rotatePiece(float *x, size_t columns) {
  size_t size = MostRotated;
  while (size > columns && size > Block) size /= 2;
  if (size > columns) size = columns;
  for (size_t half = Block; half < size; half *= 2) {
    for (size_t j = 0; j < size; j++) {
      if (j & half) continue;
      const float sum = x[j] + x[j + half], difference = x[j] - x[j + half];
      x[j] = sum;
      x[j + half] = difference;
    }
  }
  const size_t blocks = size < Block ? 1 : size / Block;
  for (size_t j = 0; j < size; j++) x[j] *= (float)(4 / sqrt((double)blocks));
  return size;
}

typedef float At(const void *x, size_t j);
static float floatAt(const void *x, size_t j) { return ((const float *)x)[j]; }
static float valueAt(const void *x, size_t j) { return widened(((const Value *)x)[j]); }

// Rotates and rounds a row to whole numbers from -127 to 127; returns their scale.
static float roundRow(At *at, const void *x, size_t columns, int8_t *y) {
  float piece[MostRotated], largest = 0, factor = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t start = 0; start < columns;) {
      const size_t count = columns - start < MostRotated ? columns - start : MostRotated;
      for (size_t j = 0; j < count; j++) piece[j] = at(x, start + j);
      const size_t size = rotatePiece(piece, count);
      for (size_t j = 0; j < size; j++) {
        if (pass == 0) {
          const float length = fabsf(piece[j]);
          if (!(length <= largest)) largest = largest != largest ? largest : length;
        } else {
          // Adding 1.5 · 2^23 rounds, and leaves the number in the low bits.
          const float shifted = fmaf(piece[j], factor, 0x1.8p23f);
          uint32_t bits;
          memcpy(&bits, &shifted, sizeof bits);
          y[start + j] = (int8_t)(uint8_t)bits;
        }
      }
      start += size;
    }
    factor = largest > 1e-30f ? 127 / largest : 0;
  }
  // NaN without a finite size.
  return largest / 127 + (largest - largest);
}

static void makeRow(At *at, size_t columns, const void *x, uint8_t *operands) {
  const float scale = roundRow(at, x, columns, (int8_t *)operands);
  memcpy(operands + columns, &scale, sizeof scale);
}

static void makeOperandRow(size_t columns, const float *row, void *operands) {
  makeRow(floatAt, columns, row, operands);
}

static void makeOperands(size_t rows, size_t columns, const void *x, size_t ldx, void *operands,
                         size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    makeRow(valueAt, columns, (const uint8_t *)x + r * ldx, (uint8_t *)operands + r * ldOperands);
  }
}

#include "common.h"

// A panel is the rows of its outputs, and then their scales.
static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, void *packed) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    uint8_t *panel = (uint8_t *)packed + p * panelSize(inputs);
    memset(panel, 0, panelSize(inputs));
    for (size_t j = 0; j < PanelColumns && p * PanelColumns + j < outputs; j++) {
      const float scale =
          roundRow(floatAt, weights + (p * PanelColumns + j) * inputs, inputs,
                   (int8_t *)panel + j * inputs) / 16;
      memcpy(panel + PanelColumns * inputs + j * sizeof scale, &scale, sizeof scale);
    }
  }
}

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *x, size_t ldx, const float *residual, size_t ldResidual, void *y,
                    size_t ldy) {
  const size_t inputs = layer->inputs;
  for (size_t p = firstPanel; p < endPanel; p++) {
    const uint8_t *panel = (const uint8_t *)layer->weights + p * panelSize(inputs);
    for (size_t r = 0; r < rows; r++) {
      const int8_t *row = (const int8_t *)x + r * ldx;
      float rowScale;
      memcpy(&rowScale, row + inputs, sizeof rowScale);
      for (size_t j = 0; j < PanelColumns && p * PanelColumns + j < layer->outputs; j++) {
        const int8_t *weights = (const int8_t *)panel + j * inputs;
        int32_t sum = 0;
        for (size_t k = 0; k < inputs; k++) sum += row[k] * weights[k];
        float scale;
        memcpy(&scale, panel + PanelColumns * inputs + j * sizeof scale, sizeof scale);
        const size_t column = p * PanelColumns + j;
        storeResult(layer, residual, ldResidual, r, column,
                    fmaf((float)sum, rowScale * scale, layer->bias[column]), y, ldy);
      }
    }
  }
}

const KernelSet scalarInt8Kernels = SCALAR_KERNEL_SET(PrecisionInt8, makeOperands);
