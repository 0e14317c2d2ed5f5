// AVX-VNNI's set with a software version of VPDPBUSD, for any CPU with AVX2.

#if defined(__x86_64__)

#include "../../Sources/CKernels/avx2/target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX2); }

#pragma clang attribute push(__attribute__((target(AVX2_TARGET))), apply_to = function)

// Even and odd bytes as 16-bit integers, no sum of which overflows.
static inline __attribute__((always_inline)) __m256i emulatedVPDPBUSD(__m256i sums, __m256i x,
                                                                      __m256i w) {
  const __m256i evens = _mm256_madd_epi16(_mm256_and_si256(x, _mm256_set1_epi16(0xff)),
                                          _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
  const __m256i odds = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(w, 8));
  return _mm256_add_epi32(sums, _mm256_add_epi32(evens, odds));
}

#define HAS_VNNI 1
#define VPDPBUSD emulatedVPDPBUSD
#include "../../Sources/CKernels/avx2/vector.h"
#include "../../Sources/CKernels/avx2/groups.h"
#include "../../Sources/CKernels/shared/int8.h"

#pragma clang attribute pop

const KernelSet emulatedVNNIKernels = KERNEL_SET("emulated-vnni", PrecisionInt8, makeOperands);

#endif
