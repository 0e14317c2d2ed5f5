#if defined(__x86_64__)

#include "X86Features.h"

#include <cpuid.h>
#include <stdint.h>

static bool hasAll(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

bool x86Supports(X86Features features) {
  // Intel SDM volume 2, CPUID: leaf 1 ECX has FMA (12), OSXSAVE (27), AVX (28), F16C (29); leaf 7
  // EBX has AVX2 (5), AVX-512 F (16), DQ (17), BW (30), VL (31).
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  if (!hasAll(c, 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29)) return false;
  // XCR0: what the operating system saves; volume 1, 13.3: SSE (1), AVX (2), and for AVX-512 the
  // masks (5) and the upper registers (6, 7).
  uint32_t saved, high;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool hasAVX2 = hasAll(saved, 0x6) && hasAll(b, 1u << 5);
  if (features == X86AVX2) return hasAVX2;
  return hasAVX2 && hasAll(saved, 0xe6) && hasAll(b, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31);
}

#endif
