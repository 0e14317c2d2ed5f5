// BF16 and I8MM: products in bytes, 2 × 8 by 8 × 2; attention in bfloat16.

#if defined(__aarch64__)

#include "../neon/target.h"

static bool isSupported(void) { return hasMatrixProducts(); }

#pragma clang attribute push(__attribute__((target(BF16_I8MM_TARGET))), apply_to = function)

#define HAS_DOT 1
#define HAS_MATRIX 1
#include "../neon/vector.h"
#include "../neon/groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet neonbf16Int8Kernels = KERNEL_SET("neonbf16", PrecisionInt8, makeOperands);

#endif
