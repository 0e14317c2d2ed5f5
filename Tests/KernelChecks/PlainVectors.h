/// The vectors and groups of Sources/CKernels/shared in plain C, as wide as those of AVX-512.
#ifndef PLAIN_VECTORS_H
#define PLAIN_VECTORS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../Sources/CKernels/KernelSets.h"

#define LANES 16
#define TILE_ROWS 14
#define GATE_PIECES 32
#define FINE_GATE_DEGREE 5
#define ROUGH_GATE_DEGREE 3
#define GATE_WIDTH 0.375
#define VECTOR static inline __attribute__((always_inline))
// All functions are inlined: no vector is handed from one to another.
#pragma clang diagnostic ignored "-Wpsabi"

#define EACH for (size_t i = 0; i < LANES; i++)

typedef float vec __attribute__((ext_vector_type(LANES)));
typedef uint32_t bits __attribute__((ext_vector_type(LANES)));

static bool isSupported(void) { return true; }

VECTOR vec asFloats(bits v) { return __builtin_bit_cast(vec, v); }
VECTOR bits asBits(vec v) { return __builtin_bit_cast(bits, v); }
VECTOR vec vset(float x) { return (vec)x; }
// Memory of any type, as it is with intrinsics.
VECTOR vec vloadn(const void *p, size_t n) {
  vec v = 0;
  memcpy(&v, p, n * sizeof(float));
  return v;
}
VECTOR void vstoren(void *p, vec v, size_t n) { memcpy(p, &v, n * sizeof(float)); }
VECTOR vec vload(const void *p) { return vloadn(p, LANES); }
VECTOR void vstore(void *p, vec v) { vstoren(p, v, LANES); }
VECTOR vec selectFirstN(vec v, size_t n, vec other) {
  EACH if (i >= n) v[i] = other[i];
  return v;
}
VECTOR vec vcopysign(vec v, vec sign) {
  EACH v[i] = copysignf(v[i], sign[i]);
  return v;
}
VECTOR vec vselectless(vec a, vec b, vec less, vec other) {
  EACH if (!(a[i] < b[i])) less[i] = other[i];
  return less;
}
VECTOR vec vfma(vec a, vec b, vec c) {
  EACH c[i] = fmaf(a[i], b[i], c[i]);
  return c;
}
VECTOR vec vmax(vec a, vec b) { return vselectless(b, a, a, b); }
VECTOR vec vmin(vec a, vec b) { return vselectless(a, b, a, b); }
VECTOR vec vround(vec v) {
  EACH v[i] = rintf(v[i]);
  return v;
}
VECTOR vec vscale(vec v, vec n) {
  EACH v[i] = v[i] * exp2f(fmaxf(-126, n[i]));
  return v;
}
VECTOR float vsum(vec v) {
  float sum = 0;
  EACH sum += v[i];
  return sum;
}
VECTOR float vlargest(vec v) {
  float largest = v[0];
  EACH largest = fmaxf(largest, v[i]);
  return largest;
}
VECTOR vec vlookup(const float *table, vec index) {
  vec v;
  EACH v[i] = table[asBits(index)[i] % GATE_PIECES];
  return v;
}
VECTOR void vtranspose(vec rows[LANES]) {
  vec columns[LANES];
  for (size_t r = 0; r < LANES; r++) EACH columns[i][r] = rows[r][i];
  memcpy(rows, columns, sizeof columns);
}

VECTOR bits bzeros(void) { return (bits)0; }
VECTOR bits bset(int32_t group) { return (bits)(uint32_t)group; }
VECTOR bits bload(const void *p) { return asBits(vload(p)); }
VECTOR void bstore(void *p, bits v) { vstore(p, asFloats(v)); }
VECTOR bits bwidenn(const void *p, size_t n) {
  uint16_t all[LANES] = {0};
  memcpy(all, p, n * sizeof *all);
  bits v;
  EACH v[i] = all[i];
  return v;
}
VECTOR bits bwiden(const void *p) { return bwidenn(p, LANES); }
VECTOR bits bhigh(bits v) { return v << 16; }
VECTOR bits bor(bits a, bits b) { return a | b; }
VECTOR void vnarrown(void *p, vec v, size_t n) {
  uint16_t all[LANES];
  EACH {
    const uint32_t b = asBits(v)[i];
    all[i] = v[i] != v[i] ? 0x7fc0 : (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
  }
  memcpy(p, all, n * sizeof *all);
}
VECTOR void vnarrow(void *p, vec v) { vnarrown(p, v, LANES); }
VECTOR bits dotPairs(bits sums, bits x, bits w) {
  const bits high = (bits)0xffff0000u;
  const vec odd = vfma(asFloats(x & high), asFloats(w & high), asFloats(sums));
  return asBits(vfma(asFloats(x << 16), asFloats(w << 16), odd));
}
VECTOR bits bmax(bits a, bits b) {
  EACH if ((int32_t)b[i] > (int32_t)a[i]) a[i] = b[i];
  return a;
}
VECTOR bits bandnot(bits a, bits b) { return ~a & b; }
VECTOR bits bsub(bits a, bits b) { return a - b; }
VECTOR vec asFloat32(bits v) {
  vec floats;
  EACH floats[i] = (float)(int32_t)v[i];
  return floats;
}

// Quads of unsigned and signed bytes.
typedef uint8_t Operand;
enum { OperandZero = 128 };
VECTOR void bstoreOperandsn(void *p, bits v, size_t n) {
  for (size_t i = 0; i < n; i++) ((uint8_t *)p)[i] = (uint8_t)v[i];
}
VECTOR void bstoreOperands(void *p, bits v) { bstoreOperandsn(p, v, LANES); }
// Tiles multiply them.
VECTOR bits dotIntegers(bits sums, bits x, bits w) {
  (void)x;
  (void)w;
  return sums;
}

#endif
