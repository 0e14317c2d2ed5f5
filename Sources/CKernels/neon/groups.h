// The groups of ../shared/groups.h. Included inside the target region, after vector.h. The source
// file says which instructions there are: HAS_DOT (DotProd: SDOT), HAS_MATRIX (BF16 and I8MM: BFCVTN,
// BFMMLA, SMMLA), each 0 or 1.

#pragma once

#include "vector.h"

typedef uint32x4_t bits;

VECTOR bits bzeros(void) { return vdupq_n_u32(0); }
VECTOR bits bset(int32_t group) { return vdupq_n_u32((uint32_t)group); }
VECTOR bits bload(const void *p) { return vreinterpretq_u32_u8(vld1q_u8(p)); }
VECTOR void bstore(void *p, bits v) { vst1q_u8(p, vreinterpretq_u8_u32(v)); }
VECTOR vec asFloats(bits v) { return vreinterpretq_f32_u32(v); }
VECTOR bits asBits(vec v) { return vreinterpretq_u32_f32(v); }

VECTOR bits bwiden(const void *p) { return vmovl_u16(vreinterpret_u16_u8(vld1_u8(p))); }
VECTOR bits bwidenn(const void *p, size_t n) {
  uint16_t all[LANES] = {0};
  memcpy(all, p, n * sizeof *all);
  return bwiden(all);
}
VECTOR bits bhigh(bits v) { return vshlq_n_u32(v, 16); }
VECTOR bits bor(bits a, bits b) { return vorrq_u32(a, b); }

VECTOR uint16x4_t narrowed(vec v) {
#if HAS_MATRIX
  return vreinterpret_u16_bf16(vcvt_bf16_f32(v));
#else
  const bits b = asBits(v);
  const bits odd = vandq_u32(vshrq_n_u32(b, 16), bset(1));
  const bits rounded = vshrq_n_u32(vaddq_u32(b, vaddq_u32(odd, bset(0x7fff))), 16);
  return vmovn_u32(vbslq_u32(vceqq_f32(v, v), rounded, bset(0x7fc0)));
#endif
}
VECTOR void vnarrow(void *p, vec v) { vst1_u8(p, vreinterpret_u8_u16(narrowed(v))); }
VECTOR void vnarrown(void *p, vec v, size_t n) {
  uint16_t all[LANES];
  vnarrow(all, v);
  memcpy(p, all, n * sizeof *all);
}

VECTOR bits bmax(bits a, bits b) {
  return vreinterpretq_u32_s32(vmaxq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b)));
}
VECTOR bits bandnot(bits a, bits b) { return vbicq_u32(b, a); }
VECTOR bits bsub(bits a, bits b) { return vsubq_u32(a, b); }
VECTOR vec asFloat32(bits v) { return vcvtq_f32_s32(vreinterpretq_s32_u32(v)); }

// Quads of signed bytes.
typedef int8_t Operand;
enum { OperandZero = 0 };
VECTOR uint8x8_t lowBytes(bits v) {
  const uint16x4_t halves = vmovn_u32(v);
  return vmovn_u16(vcombine_u16(halves, halves));
}
VECTOR void bstoreOperandsn(void *p, bits v, size_t n) {
  uint8_t all[2 * LANES];
  vst1_u8(all, lowBytes(v));
  memcpy(p, all, n);
}
VECTOR void bstoreOperands(void *p, bits v) { bstoreOperandsn(p, v, LANES); }

// What a peak is measured with: the instruction of the tile.
#define PEAK_GROUPS (HAS_MATRIX ? 2 : 1)
VECTOR bits peakPairs(bits sums, bits x, bits w) {
#if HAS_MATRIX
  return asBits(vbfmmlaq_f32(asFloats(sums), (bfloat16x8_t)x, (bfloat16x8_t)w));
#else
  // A pair's two multiply-adds, each made of the one before.
  const vec once = vfma(asFloats(sums), vset(0.999f), asFloats(w));
  return asBits(vfma(once, vset(0.999f), asFloats(x)));
#endif
}
#if HAS_DOT
VECTOR bits peakIntegers(bits sums, bits x, bits w) {
#if HAS_MATRIX
  return (bits)vmmlaq_s32((int32x4_t)sums, (int8x16_t)x, (int8x16_t)w);
#else
  return (bits)vdotq_s32((int32x4_t)sums, (int8x16_t)x, (int8x16_t)w);
#endif
}
#endif

#include "tile.h"
