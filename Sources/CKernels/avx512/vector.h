// The vectors of ../shared/vector.h. Included inside the target region.

#pragma once

#include "target.h"

typedef __m512 vec;
#define LANES 16
#define TILE_ROWS 14
#define GATE_PIECES 32
#define FINE_GATE_DEGREE 5
#define ROUGH_GATE_DEGREE 3
#define GATE_WIDTH 0.375
#define VECTOR static inline __attribute__((always_inline))

VECTOR __mmask16 firstLanes(size_t n) { return (__mmask16)((1u << n) - 1); }
VECTOR vec vset(float x) { return _mm512_set1_ps(x); }
VECTOR vec vload(const float *p) { return _mm512_loadu_ps(p); }
VECTOR void vstore(float *p, vec v) { _mm512_storeu_ps(p, v); }
VECTOR vec vloadn(const float *p, size_t n) { return _mm512_maskz_loadu_ps(firstLanes(n), p); }
VECTOR void vstoren(float *p, vec v, size_t n) { _mm512_mask_storeu_ps(p, firstLanes(n), v); }
VECTOR vec selectFirstN(vec v, size_t n, vec other) {
  return _mm512_mask_blend_ps(firstLanes(n), other, v);
}
VECTOR vec vfma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
VECTOR vec vmax(vec a, vec b) { return _mm512_max_ps(a, b); }
VECTOR vec vmin(vec a, vec b) { return _mm512_min_ps(a, b); }
VECTOR vec vround(vec v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT); }
VECTOR vec vscale(vec v, vec n) { return _mm512_scalef_ps(v, n); }
VECTOR float vsum(vec v) { return _mm512_reduce_add_ps(v); }
VECTOR float vlargest(vec v) { return _mm512_reduce_max_ps(v); }
VECTOR vec vcopysign(vec v, vec sign) {
  return _mm512_or_ps(v, _mm512_and_ps(sign, vset(-0.0f)));
}
VECTOR vec vselectless(vec a, vec b, vec less, vec other) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), other, less);
}
VECTOR vec vlookup(const float *table, vec index) {
  return _mm512_permutex2var_ps(vload(table), _mm512_castps_si512(index), vload(table + LANES));
}

// Four rounds of exchanges: single floats, pairs, then quarters and halves of registers.
VECTOR void vtranspose(vec rows[LANES]) {
  vec pairs[LANES], quads[LANES];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    quads[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    quads[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    quads[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    quads[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    const vec evenLow = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0x88);
    const vec oddLow = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0xdd);
    const vec evenHigh = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0x88);
    const vec oddHigh = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0xdd);
    rows[i] = _mm512_shuffle_f32x4(evenLow, evenHigh, 0x88);
    rows[i + 4] = _mm512_shuffle_f32x4(oddLow, oddHigh, 0x88);
    rows[i + 8] = _mm512_shuffle_f32x4(evenLow, evenHigh, 0xdd);
    rows[i + 12] = _mm512_shuffle_f32x4(oddLow, oddHigh, 0xdd);
  }
}
