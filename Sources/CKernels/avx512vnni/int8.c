// AVX512_VNNI alone: products in bytes, attention in pairs widened to floats.

#if defined(__x86_64__)

#include "../avx512/target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX512VNNI); }

#pragma clang attribute push(__attribute__((target(AVX512_VNNI_TARGET))), apply_to = function)

#define HAS_BF16 0
#define HAS_VNNI 1
#include "../avx512/vector.h"
#include "../avx512/groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet avx512vnniInt8Kernels = KERNEL_SET("avx512vnni", PrecisionInt8, makeOperands);

#endif
