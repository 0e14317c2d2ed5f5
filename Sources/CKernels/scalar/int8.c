#include "bfloat16.h"

// As shared/int8.h has it: how many columns have a scale, all of a row unless scaledInt8.c says so, and
// whether weights are rounded so that the products of two neighbours fit in 16 bits.
#ifdef SCALE_COLUMNS
enum { Block = 16, MostRotated = SCALE_COLUMNS, AddsPairs = 1 };
static size_t scaleColumns(size_t inputs) {
  return inputs < SCALE_COLUMNS ? inputs : SCALE_COLUMNS;
}
#else
enum { Block = 16, MostRotated = 16 * Block, AddsPairs = 0 };
static size_t scaleColumns(size_t inputs) { return inputs; }
#endif

static size_t scaleCount(size_t inputs) {
  return (inputs + scaleColumns(inputs) - 1) / scaleColumns(inputs);
}

// Rows are bytes and, behind them, their scales.
static size_t operandSize(size_t inputs) { return inputs + scaleCount(inputs) * sizeof(float); }

static size_t panelSize(size_t inputs) { return PanelColumns * operandSize(inputs); }

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

static void enlarge(float *largest, float x) {
  const float length = fabsf(x);
  if (!(length <= *largest)) *largest = *largest != *largest ? *largest : length;
}

// Rotates and rounds the columns from `first` to `end`, which have one scale, to whole numbers from -127 to
// 127; returns the scale.
static float roundColumns(At *at, const void *x, bool limitsPairs, size_t first, size_t end,
                          int8_t *y) {
  float piece[MostRotated], largest = 0, factor = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t start = first; start < end;) {
      const size_t count = end - start < MostRotated ? end - start : MostRotated;
      for (size_t j = 0; j < count; j++) piece[j] = at(x, start + j);
      const size_t size = rotatePiece(piece, count);
      for (size_t j = 0; j < size; j++) {
        if (pass == 0) {
          enlarge(&largest, piece[j]);
          if (limitsPairs && j % 2 > 0) enlarge(&largest, piece[j - 1] + piece[j]);
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

static void roundRow(At *at, const void *x, bool limitsPairs, size_t columns, int8_t *y,
                     float *scales) {
  for (size_t first = 0; first < columns; first += scaleColumns(columns)) {
    const size_t rest = columns - first;
    const size_t count = rest < scaleColumns(columns) ? rest : scaleColumns(columns);
    *scales++ = roundColumns(at, x, limitsPairs, first, first + count, y);
  }
}

static void makeRow(At *at, size_t columns, const void *x, uint8_t *operands) {
  float scales[scaleCount(columns)];
  roundRow(at, x, false, columns, (int8_t *)operands, scales);
  memcpy(operands + columns, scales, sizeof scales);
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
      float scales[scaleCount(inputs)];
      roundRow(floatAt, weights + (p * PanelColumns + j) * inputs, AddsPairs, inputs,
               (int8_t *)panel + j * inputs, scales);
      for (size_t i = 0; i < scaleCount(inputs); i++) scales[i] /= 16;
      memcpy(panel + PanelColumns * inputs + j * sizeof scales, scales, sizeof scales);
    }
  }
}

// The sum of the products that have the i-th scale, and that scale.
static float scaledSum(const uint8_t *row, const uint8_t *panel, size_t inputs, size_t j, size_t i,
                       float *scale) {
  const int8_t *numbers = (const int8_t *)row, *weights = (const int8_t *)panel + j * inputs;
  int32_t sum = 0;
  for (size_t k = i * scaleColumns(inputs); k < inputs && k < (i + 1) * scaleColumns(inputs); k++) {
    sum += numbers[k] * weights[k];
  }
  const uint8_t *columnScales = panel + PanelColumns * inputs + j * scaleCount(inputs) * sizeof(float);
  float rowScale, columnScale;
  memcpy(&rowScale, row + inputs + i * sizeof rowScale, sizeof rowScale);
  memcpy(&columnScale, columnScales + i * sizeof columnScale, sizeof columnScale);
  *scale = rowScale * columnScale;
  return (float)sum;
}

static float dot(const uint8_t *row, const uint8_t *panel, size_t inputs, size_t j, float bias) {
  float scale;
#ifdef SCALE_COLUMNS
  float total = 0;
  for (size_t i = 0; i < scaleCount(inputs); i++) {
    const float sum = scaledSum(row, panel, inputs, j, i, &scale);
    total = fmaf(sum, scale, total);
  }
  return total + bias;
#else
  const float sum = scaledSum(row, panel, inputs, j, 0, &scale);
  return fmaf(sum, scale, bias);
#endif
}

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *x, size_t ldx, const float *residual, size_t ldResidual, void *y,
                    size_t ldy) {
  const size_t inputs = layer->inputs;
  for (size_t p = firstPanel; p < endPanel; p++) {
    const uint8_t *panel = (const uint8_t *)layer->weights + p * panelSize(inputs);
    for (size_t r = 0; r < rows; r++) {
      const uint8_t *row = (const uint8_t *)x + r * ldx;
      for (size_t j = 0; j < PanelColumns && p * PanelColumns + j < layer->outputs; j++) {
        const size_t column = p * PanelColumns + j;
        storeResult(layer, residual, ldResidual, r, column,
                    dot(row, panel, inputs, j, layer->bias[column]), y, ldy);
      }
    }
  }
}

#ifndef INT8_KERNELS
#define INT8_KERNELS scalarInt8Kernels
#endif
const KernelSet INT8_KERNELS = SCALAR_KERNEL_SET(PrecisionInt8, makeOperands);
