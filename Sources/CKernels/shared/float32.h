// A float32 kernel set, in the vectors of vector.h: values and operands are the floats themselves.

#pragma once

#define GATE_DEGREE FINE_GATE_DEGREE

#include "vector.h"
#include "attention.h"

typedef float Value;
enum { ValueSize = sizeof(Value) };

INLINE vec loadValues(const Value *p, size_t n) { return loadUpTo(p, n); }
INLINE void storeValues(Value *p, vec v, size_t n) { storeUpTo(p, v, n); }

static size_t operandSize(size_t inputs) { return inputs * sizeof(float); }

INLINE void makeOperandRow(size_t columns, const float *row, uint8_t *operands) {
  (void)columns;
  (void)row;
  (void)operands;
}

#include "elements.h"
#include "normalization.h"
#include "peak.h"
#include "set.h"
