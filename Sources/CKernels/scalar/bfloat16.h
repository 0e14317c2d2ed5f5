// bfloat16: the upper half of a float.

#pragma once

#include "sizes.h"

typedef uint16_t Value;

static float widened(Value value) {
  const uint32_t bits = (uint32_t)value << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// To the nearest, of two the even one.
static Value narrowed(float x) {
  if (x != x) return 0x7fc0;
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (Value)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
