// What is done to values element by element, in place. Before it stand `Value`, `loadValues` and
// `storeValues` of the precision.

#pragma once

#ifndef LANES  // read alone, by an editor
#include "values.h"
#endif

static void applyRotary(const RotaryPositions *positions, size_t rows, size_t headCount,
                        size_t headSize, void *x, size_t ldx) {
  const size_t half = positions->size / 2;
  for (size_t r = 0; r < rows; r++) {
    const float *cosines = positions->table + r * positions->size, *sines = cosines + half;
    for (size_t head = 0; head < headCount; head++) {
      Value *row = (Value *)((uint8_t *)x + r * ldx) + head * headSize;
      for (size_t j = 0; j < half; j += LANES) {
        const size_t n = half - j;
        const vec a = loadValues(row + j, n), b = loadValues(row + half + j, n);
        const vec cosine = loadUpTo(cosines + j, n), sine = loadUpTo(sines + j, n);
        storeValues(row + j, vfma(a, cosine, vset(0) - b * sine), n);
        storeValues(row + half + j, vfma(b, cosine, a * sine), n);
      }
    }
  }
}

static void multiply(size_t rows, size_t columns, void *x, size_t ldx, const void *y, size_t ldy) {
  for (size_t r = 0; r < rows; r++) {
    Value *row = (Value *)((uint8_t *)x + r * ldx);
    const Value *by = (const Value *)((const uint8_t *)y + r * ldy);
    for (size_t j = 0; j < columns; j += LANES) {
      const size_t n = columns - j;
      storeValues(row + j, loadValues(row + j, n) * loadValues(by + j, n), n);
    }
  }
}
