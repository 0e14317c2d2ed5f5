// The groups of ../shared/groups.h. Included inside the target region, after vector.h. The source
// file says which instructions there are: HAS_BF16, HAS_VNNI, each 0 or 1.

#pragma once

#include "vector.h"

typedef __m512i bits;

VECTOR bits bzeros(void) { return _mm512_setzero_si512(); }
VECTOR bits bset(int32_t group) { return _mm512_set1_epi32(group); }
VECTOR bits bload(const void *p) { return _mm512_loadu_si512(p); }
VECTOR void bstore(void *p, bits v) { _mm512_storeu_si512(p, v); }
VECTOR vec asFloats(bits v) { return _mm512_castsi512_ps(v); }
VECTOR bits asBits(vec v) { return _mm512_castps_si512(v); }

VECTOR __mmask16 firstHalves(size_t n) { return (__mmask16)((1u << n) - 1); }
VECTOR bits bwiden(const void *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256(p)); }
VECTOR bits bwidenn(const void *p, size_t n) {
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(firstHalves(n), p));
}
VECTOR bits bhigh(bits v) { return _mm512_slli_epi32(v, 16); }
VECTOR bits bor(bits a, bits b) { return _mm512_or_si512(a, b); }

VECTOR __m256i narrowed(vec v) {
#if HAS_BF16
  return (__m256i)_mm512_cvtneps_pbh(v);
#else
  const bits b = asBits(v);
  const bits odd = _mm512_and_si512(_mm512_srli_epi32(b, 16), bset(1));
  const bits rounded =
      _mm512_srli_epi32(_mm512_add_epi32(b, _mm512_add_epi32(odd, bset(0x7fff))), 16);
  const __mmask16 isNaN = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, isNaN, bset(0x7fc0)));
#endif
}
VECTOR void vnarrow(void *p, vec v) { _mm256_storeu_si256(p, narrowed(v)); }
VECTOR void vnarrown(void *p, vec v, size_t n) {
  _mm256_mask_storeu_epi16(p, firstHalves(n), narrowed(v));
}

VECTOR bits dotPairs(bits sums, bits x, bits w) {
#if HAS_BF16
  return asBits(_mm512_dpbf16_ps(asFloats(sums), (__m512bh)x, (__m512bh)w));
#else
  const bits high = bset((int32_t)0xffff0000);
  const vec odd = vfma(asFloats(_mm512_and_si512(x, high)), asFloats(_mm512_and_si512(w, high)),
                       asFloats(sums));
  return asBits(vfma(asFloats(bhigh(x)), asFloats(bhigh(w)), odd));
#endif
}

VECTOR bits bmax(bits a, bits b) { return _mm512_max_epi32(a, b); }
VECTOR bits bandnot(bits a, bits b) { return _mm512_andnot_si512(a, b); }
VECTOR bits bsub(bits a, bits b) { return _mm512_sub_epi32(a, b); }
VECTOR vec asFloat32(bits v) { return _mm512_cvtepi32_ps(v); }

#if HAS_VNNI
// Quads of unsigned and signed bytes.
typedef uint8_t Operand;
enum { OperandZero = 128 };
VECTOR bits dotIntegers(bits sums, bits x, bits w) { return _mm512_dpbusd_epi32(sums, x, w); }
VECTOR void bstoreOperands(void *p, bits v) {
  _mm_storeu_si128(p, _mm512_cvtepi32_epi8(v));
}
VECTOR void bstoreOperandsn(void *p, bits v, size_t n) {
  _mm_mask_storeu_epi8(p, firstHalves(n), _mm512_cvtepi32_epi8(v));
}
#else
// Pairs of 16-bit integers.
typedef int16_t Operand;
enum { OperandZero = 0 };
VECTOR bits dotIntegers(bits sums, bits x, bits w) {
  return _mm512_add_epi32(sums, _mm512_madd_epi16(x, w));
}
VECTOR void bstoreOperands(void *p, bits v) {
  _mm256_storeu_si256(p, _mm512_cvtepi32_epi16(v));
}
VECTOR void bstoreOperandsn(void *p, bits v, size_t n) {
  _mm256_mask_storeu_epi16(p, firstHalves(n), _mm512_cvtepi32_epi16(v));
}
#endif
