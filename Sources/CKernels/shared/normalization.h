// Layer norm and embeddings. Two passes over a row that stays in the first-level cache, then
// `makeOperandRow` of the precision, while the row is near. Before it stand `Value`, `loadValues` and
// `storeValues`.

#pragma once

#ifndef LANES  // read alone, by an editor
#include "values.h"
#endif

INLINE void makeOperandRow(size_t columns, const float *row, uint8_t *operands);

typedef struct Moments {
  double mean, variance;
} Moments;

// As many doubles as fill a register.
typedef double doubles __attribute__((vector_size(LANES * sizeof(float))));

INLINE double sumOfDoubles(const doubles *sums) {
  const doubles total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = 0;
  UNROLL
  for (size_t i = 0; i < LANES / 2; i++) sum += total[i];
  return sum;
}

// In double: often one value makes most of the squares, and would round each one added after it. What
// the variance lacks, all columns lack.
INLINE Moments moments(size_t columns, const float *x, bool isRootMeanSquare) {
  enum { Doubles = LANES / 2, Step = 4 * Doubles };
  typedef float floats __attribute__((vector_size(Doubles * sizeof(float)), aligned(sizeof(float))));
  doubles sums[4] = {{0}, {0}, {0}, {0}}, squares[4] = {{0}, {0}, {0}, {0}};
  size_t j = 0;
  for (; j + Step <= columns; j += Step) {
    UNROLL
    for (size_t i = 0; i < 4; i++) {
      const floats *values = (const floats *)(x + j + i * Doubles);
      const doubles v = __builtin_convertvector(*values, doubles);
      sums[i] += v;
      squares[i] = __builtin_elementwise_fma(v, v, squares[i]);
    }
  }
  double sum = sumOfDoubles(sums), square = sumOfDoubles(squares);
  for (; j < columns; j++) {
    sum += (double)x[j];
    square += (double)x[j] * (double)x[j];
  }
  if (isRootMeanSquare) return (Moments){0, square / (double)columns};
  const double mean = sum / (double)columns;
  double variance = square / (double)columns - mean * mean;
  // The difference has 53 bits less those that cancel: where few would be left, another pass.
  if (!(variance > 0x1p-20 * mean * mean)) {
    variance = 0;
    for (j = 0; j < columns; j++) variance += ((double)x[j] - mean) * ((double)x[j] - mean);
    variance /= (double)columns;
  }
  return (Moments){mean, variance};
}

INLINE void normalizeRow(const LayerNorm *norm, const float *x, float *y) {
  const size_t columns = norm->columns;
  const Moments of = moments(columns, x, norm->isRootMeanSquare);
  const double factor = 1 / __builtin_elementwise_sqrt(of.variance + (double)norm->epsilon);
  // Rounded as a value of 16 to 32 deviations would be, the mean is taken off the largest values
  // without rounding again; what it lacks comes with the product.
  const float coarse = 24 * (float)(1 / factor), start = ((float)of.mean + coarse) - coarse;
  const vec offset = vset((float)(((double)start - of.mean) * factor));
  for (size_t j = 0; j < columns; j += LANES) {
    const size_t n = columns - j;
    const vec d = loadUpTo(x + j, n) - vset(start);
    const vec normalized = vfma(d, vset((float)factor), offset);
    storeUpTo(y + j, vfma(normalized, loadUpTo(norm->scale + j, n), loadUpTo(norm->shift + j, n)), n);
  }
}

static void layerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx, float *y,
                      size_t ldy, void *operands, size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    normalizeRow(norm, x + r * ldx, y + r * ldy);
    makeOperandRow(norm->columns, y + r * ldy, (uint8_t *)operands + r * ldOperands);
  }
}

static void normalizeValues(const LayerNorm *norm, size_t rows, void *x, size_t ldx,
                            float *scratch) {
  const size_t columns = norm->columns;
  for (size_t r = 0; r < rows; r++) {
    Value *row = (Value *)((uint8_t *)x + r * ldx);
    for (size_t j = 0; j < columns; j += LANES) {
      storeUpTo(scratch + j, loadValues(row + j, columns - j), columns - j);
    }
    normalizeRow(norm, scratch, scratch);
    for (size_t j = 0; j < columns; j += LANES) {
      storeValues(row + j, loadUpTo(scratch + j, columns - j), columns - j);
    }
  }
}

static void makeFloatOperands(size_t rows, size_t columns, const float *x, size_t ldx,
                              void *operands, size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    makeOperandRow(columns, x + r * ldx, (uint8_t *)operands + r * ldOperands);
  }
}

static void embed(const EmbeddingInput *input, const LayerNorm *norm, size_t columns, size_t rows,
                  float *y, size_t ldy, void *operands, size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    const float *word = input->wordTable + (size_t)input->ids[r] * columns;
    const float *position = input->positionTable;
    if (position) position += (size_t)input->positions[r] * columns;
    const float *type = input->typeTable + (size_t)input->types[r] * columns;
    float *row = y + r * ldy;
    for (size_t j = 0; j < columns; j += LANES) {
      const size_t n = columns - j;
      const vec sum = loadUpTo(word + j, n) + loadUpTo(type + j, n);
      storeUpTo(row + j, position ? sum + loadUpTo(position + j, n) : sum, n);
    }
    if (norm) normalizeRow(norm, row, row);
    makeOperandRow(columns, row, (uint8_t *)operands + r * ldOperands);
  }
}
