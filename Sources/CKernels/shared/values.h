// Values of the two lower precisions are bfloat16.

#pragma once

#include "groups.h"

typedef uint16_t Value;
enum { ValueSize = sizeof(Value) };

INLINE vec loadValues(const Value *p, size_t n) {
  return asFloats(bhigh(n >= LANES ? bwiden(p) : bwidenn(p, n)));
}

INLINE void storeValues(Value *p, vec v, size_t n) {
  if (n >= LANES) {
    vnarrow(p, v);
  } else {
    vnarrown(p, v, n);
  }
}
