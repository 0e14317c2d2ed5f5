// The groups of ../shared/groups.h. Included inside the target region, after vector.h. The source file
// says whether there is VPDPBUSD: HAS_VNNI, 0 or 1.

#pragma once

#include "vector.h"

typedef __m256i bits;

VECTOR bits bzeros(void) { return _mm256_setzero_si256(); }
VECTOR bits bset(int32_t group) { return _mm256_set1_epi32(group); }
VECTOR bits bload(const void *p) { return _mm256_loadu_si256(p); }
VECTOR void bstore(void *p, bits v) { _mm256_storeu_si256(p, v); }
VECTOR vec asFloats(bits v) { return _mm256_castsi256_ps(v); }
VECTOR bits asBits(vec v) { return _mm256_castps_si256(v); }

VECTOR bits bwiden(const void *p) { return _mm256_cvtepu16_epi32(_mm_loadu_si128(p)); }
VECTOR bits bwidenn(const void *p, size_t n) {
  uint16_t all[8] = {0};
  memcpy(all, p, n * sizeof *all);
  return bwiden(all);
}
VECTOR bits bhigh(bits v) { return _mm256_slli_epi32(v, 16); }
VECTOR bits bor(bits a, bits b) { return _mm256_or_si256(a, b); }

// Rounded to bfloat16, in the low halves.
VECTOR bits halves(vec v) {
  const bits b = asBits(v);
  const bits odd = _mm256_and_si256(_mm256_srli_epi32(b, 16), bset(1));
  const bits rounded =
      _mm256_srli_epi32(_mm256_add_epi32(b, _mm256_add_epi32(odd, bset(0x7fff))), 16);
  const bits isNaN = asBits(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(rounded, bset(0x7fc0), isNaN);
}
VECTOR void vnarrow(void *p, vec v) {
  const bits all = halves(v);
  _mm_storeu_si128(
      p, _mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}
// As floats.
VECTOR vec vrounded(vec v) { return asFloats(bhigh(halves(v))); }
VECTOR void vnarrown(void *p, vec v, size_t n) {
  uint16_t all[8];
  vnarrow(all, v);
  memcpy(p, all, n * sizeof *all);
}

VECTOR bits bmax(bits a, bits b) { return _mm256_max_epi32(a, b); }
VECTOR bits bandnot(bits a, bits b) { return _mm256_andnot_si256(a, b); }
VECTOR bits bsub(bits a, bits b) { return _mm256_sub_epi32(a, b); }
VECTOR vec asFloat32(bits v) { return _mm256_cvtepi32_ps(v); }

#if HAS_VNNI

// Widened in the loop.
VECTOR bits dotPairs(bits sums, bits x, bits w) {
  const bits high = bset((int32_t)0xffff0000);
  const vec odd = vfma(asFloats(_mm256_and_si256(x, high)), asFloats(_mm256_and_si256(w, high)),
                       asFloats(sums));
  return asBits(vfma(asFloats(bhigh(x)), asFloats(bhigh(w)), odd));
}

#ifndef VPDPBUSD  // a test has its own
#define VPDPBUSD _mm256_dpbusd_avx_epi32
#endif
VECTOR bits dotIntegers(bits sums, bits x, bits w) { return VPDPBUSD(sums, x, w); }

#else

// What ../shared/widened.h asks for.
#define WIDENS
VECTOR bits bevens(bits v) { return bhigh(v); }
VECTOR bits bodds(bits v) { return _mm256_and_si256(v, bset((int32_t)0xffff0000)); }
// What a peak is measured with: each is made of the one before, for products of x and w alone the
// compiler takes out of the loop. Of integers the multiplications alone, which no loop outruns.
VECTOR bits peakPairs(bits sums, bits x, bits w) {
  const vec once = vfma(asFloats(sums), vset(0.999f), asFloats(w));
  return asBits(vfma(once, vset(0.999f), asFloats(x)));
}
VECTOR bits peakIntegers(bits sums, bits x, bits w) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(sums, x), w);
}

// VPMADDUBSW adds two products in 16 bits.
#define ADDS_PAIRS_IN_16_BITS
VECTOR bits dotIntegers(bits sums, bits x, bits w) {
  const bits pairs = _mm256_maddubs_epi16(x, w);
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#endif

// Quads of unsigned and signed bytes.
typedef uint8_t Operand;
enum { OperandZero = 128 };
VECTOR void bstoreOperandsn(void *p, bits v, size_t n) {
  const bits low = _mm256_and_si256(v, bset(0xff));
  const __m128i halves =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  uint8_t all[16];
  _mm_storeu_si128((__m128i *)all, _mm_packus_epi16(halves, halves));
  memcpy(p, all, n);
}
VECTOR void bstoreOperands(void *p, bits v) { bstoreOperandsn(p, v, LANES); }
