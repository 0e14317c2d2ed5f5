// The vectors of ../shared/vector.h. Included inside the target region.

#pragma once

#include "target.h"

typedef __m256 vec;
#define LANES 8
#define TILE_ROWS 6
#define GATE_PIECES 8
#define FINE_GATE_DEGREE 11
#define ROUGH_GATE_DEGREE 6
#define GATE_WIDTH 1.625
#define VECTOR static inline __attribute__((always_inline))

// n ones, then zeros.
VECTOR __m256i firstLanes(size_t n) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lanes);
}
VECTOR vec vset(float x) { return _mm256_set1_ps(x); }
VECTOR vec vload(const float *p) { return _mm256_loadu_ps(p); }
VECTOR void vstore(float *p, vec v) { _mm256_storeu_ps(p, v); }
VECTOR vec vloadn(const float *p, size_t n) { return _mm256_maskload_ps(p, firstLanes(n)); }
VECTOR void vstoren(float *p, vec v, size_t n) { _mm256_maskstore_ps(p, firstLanes(n), v); }
VECTOR vec selectFirstN(vec v, size_t n, vec other) {
  return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(firstLanes(n)));
}
VECTOR vec vfma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
VECTOR vec vmax(vec a, vec b) { return _mm256_max_ps(a, b); }
VECTOR vec vmin(vec a, vec b) { return _mm256_min_ps(a, b); }
VECTOR vec vround(vec v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
VECTOR vec vscale(vec v, vec n) {
  const __m256i exponent = _mm256_cvtps_epi32(vmax(vset(-126), n));
  return v * _mm256_castsi256_ps(
                 _mm256_slli_epi32(_mm256_add_epi32(exponent, _mm256_set1_epi32(127)), 23));
}
VECTOR float vsum(vec v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
VECTOR float vlargest(vec v) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
VECTOR vec vcopysign(vec v, vec sign) {
  return _mm256_or_ps(v, _mm256_and_ps(sign, vset(-0.0f)));
}
VECTOR vec vselectless(vec a, vec b, vec less, vec other) {
  return _mm256_blendv_ps(other, less, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
VECTOR vec vlookup(const float *table, vec index) {
  return _mm256_permutevar8x32_ps(vload(table), _mm256_castps_si256(index));
}

// Three rounds of exchanges: single floats, pairs, halves of registers.
VECTOR void vtranspose(vec rows[LANES]) {
  vec pairs[LANES], quads[LANES];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
    quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    rows[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
  }
}
