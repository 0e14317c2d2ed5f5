#include <math.h>
#include <string.h>

#include "CKernels.h"

void poolRows(PoolingKind kind, size_t rows, size_t columns, const float *x, size_t ldx,
              float *y) {
  enum { Block = 64 };
  double divisor = 1;
  switch (kind) {
    case PoolingMean: divisor = (double)rows; break;
    case PoolingMeanSqrtLength: divisor = sqrt((double)rows); break;
    case PoolingWeightedMean: divisor = (double)rows * (double)(rows + 1) / 2; break;
    case PoolingMax: break;
  }
  for (size_t start = 0; start < columns; start += Block) {
    const size_t count = columns - start < Block ? columns - start : Block;
    double pooled[Block];
    for (size_t j = 0; j < count; j++) {
      pooled[j] = kind == PoolingMax ? (double)x[start + j] : 0;
    }
    for (size_t i = 0; i < rows; i++) {
      const float *row = x + i * ldx + start;
      if (kind == PoolingMax) {
        // A NaN, once in, stays.
        for (size_t j = 0; j < count; j++) {
          pooled[j] = row[j] > pooled[j] || row[j] != row[j] ? (double)row[j] : pooled[j];
        }
      } else {
        const double weight = kind == PoolingWeightedMean ? (double)(i + 1) : 1;
        for (size_t j = 0; j < count; j++) pooled[j] += weight * (double)row[j];
      }
    }
    for (size_t j = 0; j < count; j++) y[start + j] = (float)(pooled[j] / divisor);
  }
}

void denseVector(size_t inputs, size_t outputs, const float *w, const float *b, const float *x,
                 float *y) {
  for (size_t i = 0; i < outputs; i++, w += inputs) {
    double sums[8] = {0};
    size_t j = 0;
    for (; j + 8 <= inputs; j += 8) {
      for (size_t k = 0; k < 8; k++) sums[k] += (double)w[j + k] * (double)x[j + k];
    }
    double sum = (double)b[i];
    for (; j < inputs; j++) sum += (double)w[j] * (double)x[j];
    for (size_t k = 0; k < 8; k++) sum += sums[k];
    y[i] = (float)sum;
  }
}

void normalizeLength(size_t count, float *x) {
  double squares = 0;
  for (size_t i = 0; i < count; i++) squares += (double)x[i] * (double)x[i];
  const double length = sqrt(squares) > 1e-12 ? sqrt(squares) : 1e-12;
  for (size_t i = 0; i < count; i++) x[i] = (float)((double)x[i] / length);
}

bool copyFinite(size_t rows, size_t columns, const float *x, size_t ldx, float *y) {
  uint32_t largest = 0;
  for (size_t i = 0; i < rows; i++) {
    const float *row = x + i * ldx;
    float *copy = y + i * columns;
    for (size_t j = 0; j < columns; j++) {
      uint32_t bits;
      memcpy(&bits, row + j, sizeof bits);
      bits &= 0x7fffffff;
      largest = bits > largest ? bits : largest;
      copy[j] = row[j];
    }
  }
  return largest < 0x7f800000;
}

bool takeLarger(size_t count, const float *x, float *y) {
  uint32_t largest = 0;
  for (size_t j = 0; j < count; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    bits &= 0x7fffffff;
    largest = bits > largest ? bits : largest;
    y[j] = x[j] > y[j] ? x[j] : y[j];
  }
  return largest < 0x7f800000;
}
