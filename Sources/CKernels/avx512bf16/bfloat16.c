// AVX512_BF16: a multiply-add of pairs for each one of floats.

#if defined(__x86_64__)

#include "../avx512/target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX512BF16); }

#pragma clang attribute push(__attribute__((target(AVX512_BF16_TARGET))), apply_to = function)

#define HAS_BF16 1
#define HAS_VNNI 1
#include "../avx512/vector.h"
#include "../avx512/groups.h"
#include "../shared/bfloat16.h"

#pragma clang attribute pop

const KernelSet avx512bf16Bfloat16Kernels = KERNEL_SET("avx512bf16", PrecisionBfloat16, NULL);

#endif
