#include "Values.h"

#include <stdint.h>
#include <string.h>

float boundOf(const KernelSet *set, float float32, float lower) {
  return set->precision == PrecisionFloat32 ? float32 : lower;
}

void *valuesOf(const KernelSet *set, size_t count, const float *floats, Side side) {
  uint8_t *values = guardedBytes(count * set->valueSize, 0, side);
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, floats + i, sizeof bits);
    if (set->valueSize == sizeof(float)) {
      memcpy(values + i * sizeof bits, &bits, sizeof bits);
    } else {
      // bfloat16, to the nearest even.
      const uint16_t half = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
      memcpy(values + i * sizeof half, &half, sizeof half);
    }
  }
  return values;
}

float *floatsOf(const KernelSet *set, size_t count, const void *values) {
  float *floats = guardedFloats(count, 0, After);
  for (size_t i = 0; i < count; i++) {
    if (set->valueSize == sizeof(float)) {
      memcpy(floats + i, (const uint8_t *)values + i * sizeof(float), sizeof(float));
    } else {
      uint16_t half;
      memcpy(&half, (const uint8_t *)values + i * sizeof half, sizeof half);
      const uint32_t bits = (uint32_t)half << 16;
      memcpy(floats + i, &bits, sizeof bits);
    }
  }
  return floats;
}

const void *operandsOf(const KernelSet *set, size_t rows, size_t columns, const float *x, size_t ldx,
                       Side side, size_t *ld) {
  if (set->precision == PrecisionFloat32) {
    *ld = ldx * sizeof *x;
    return x;
  }
  *ld = set->operandSize(columns);
  uint8_t *operands = guardedBytes(rows * *ld, 0xff, side);
  set->makeFloatOperands(rows, columns, x, ldx, operands, *ld);
  return operands;
}
