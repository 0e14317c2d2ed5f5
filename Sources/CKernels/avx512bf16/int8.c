// AVX512_VNNI and AVX512_BF16: products in bytes, attention in bfloat16.

#if defined(__x86_64__)

#include "../avx512/target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX512BF16); }

#pragma clang attribute push(__attribute__((target(AVX512_BF16_TARGET))), apply_to = function)

#define HAS_BF16 1
#define HAS_VNNI 1
#include "../avx512/vector.h"
#include "../avx512/groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet avx512bf16Int8Kernels = KERNEL_SET("avx512bf16", PrecisionInt8, makeOperands);

#endif
