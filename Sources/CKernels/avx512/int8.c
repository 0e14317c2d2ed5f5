// int8 where the CPU has no instructions for it: in pairs of 16 bits.

#if defined(__x86_64__)

#include "target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX512); }

#pragma clang attribute push(__attribute__((target(AVX512_TARGET))), apply_to = function)

#define HAS_BF16 0
#define HAS_VNNI 0
#include "vector.h"
#include "groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet avx512Int8Kernels = KERNEL_SET("avx512", PrecisionInt8, makeOperands);

#endif
