// The vectors of ../shared/vector.h.

#pragma once

#include "target.h"

typedef float32x4_t vec;
#define LANES 4
#define TILE_ROWS 12
#define GATE_PIECES 8
#define FINE_GATE_DEGREE 11
#define ROUGH_GATE_DEGREE 6
#define GATE_WIDTH 1.625
#define VECTOR static inline __attribute__((always_inline))

// All bits of the first n lanes.
VECTOR uint32x4_t firstLanes(size_t n) {
  const uint32x4_t lanes = {0, 1, 2, 3};
  return vcltq_u32(lanes, vdupq_n_u32((uint32_t)n));
}
VECTOR vec vset(float x) { return vdupq_n_f32(x); }
VECTOR vec vload(const float *p) { return vld1q_f32(p); }
VECTOR void vstore(float *p, vec v) { vst1q_f32(p, v); }
// There are no masked loads: lane by lane.
VECTOR vec vloadn(const float *p, size_t n) {
  vec v = vset(0);
  if (n > 0) v = vld1q_lane_f32(p, v, 0);
  if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
  if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
  return v;
}
VECTOR void vstoren(float *p, vec v, size_t n) {
  if (n > 0) vst1q_lane_f32(p, v, 0);
  if (n > 1) vst1q_lane_f32(p + 1, v, 1);
  if (n > 2) vst1q_lane_f32(p + 2, v, 2);
}
VECTOR vec selectFirstN(vec v, size_t n, vec other) { return vbslq_f32(firstLanes(n), v, other); }
VECTOR vec vfma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
VECTOR vec vmax(vec a, vec b) { return vmaxq_f32(a, b); }
VECTOR vec vmin(vec a, vec b) { return vminq_f32(a, b); }
VECTOR vec vround(vec v) { return vrndnq_f32(v); }
VECTOR vec vscale(vec v, vec n) {
  const int32x4_t exponent = vcvtq_s32_f32(vmax(vset(-126), n));
  return v * vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(exponent, vdupq_n_s32(127)), 23));
}
VECTOR float vsum(vec v) { return vaddvq_f32(v); }
VECTOR float vlargest(vec v) { return vmaxvq_f32(v); }
VECTOR vec vcopysign(vec v, vec sign) { return vbslq_f32(vdupq_n_u32(1u << 31), sign, v); }
VECTOR vec vselectless(vec a, vec b, vec less, vec other) {
  return vbslq_f32(vcltq_f32(a, b), less, other);
}
// Bytes are looked up, four a lane: 4 · (index mod 8) + 0, 1, 2, 3.
VECTOR vec vlookup(const float *table, vec index) {
  const uint32x4_t lanes = vandq_u32(vreinterpretq_u32_f32(index), vdupq_n_u32(GATE_PIECES - 1));
  const uint32x4_t bytes = vmlaq_u32(vdupq_n_u32(0x03020100), lanes, vdupq_n_u32(0x04040404));
  const uint8x16x2_t halves = {
      {vreinterpretq_u8_f32(vload(table)), vreinterpretq_u8_f32(vload(table + LANES))}};
  return vreinterpretq_f32_u8(vqtbl2q_u8(halves, vreinterpretq_u8_u32(bytes)));
}

// Two rounds of exchanges: single floats, pairs.
VECTOR void vtranspose(vec rows[LANES]) {
  const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(rows[0], rows[1]));
  const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(rows[0], rows[1]));
  const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(rows[2], rows[3]));
  const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(rows[2], rows[3]));
  rows[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
  rows[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
  rows[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
  rows[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
