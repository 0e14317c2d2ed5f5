// A float32 kernel set, in the vectors of vector.h: values and operands are the floats themselves.

#pragma once

#define GATE_DEGREE FINE_GATE_DEGREE

#include "vector.h"
#include "attention.h"

enum { ValueSize = sizeof(float) };

static size_t operandSize(size_t inputs) { return inputs * sizeof(float); }

INLINE void makeOperandRow(size_t columns, const float *row, uint8_t *operands) {
  (void)columns;
  (void)row;
  (void)operands;
}

#include "normalization.h"
#include "peak.h"
#include "set.h"
