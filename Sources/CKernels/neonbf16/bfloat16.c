// BF16 and I8MM (Neoverse V1, N2 and later): a multiply-add of 2 × 4 by 4 × 2 numbers.

#if defined(__aarch64__)

#include "../neon/target.h"

static bool isSupported(void) { return hasMatrixProducts(); }

#pragma clang attribute push(__attribute__((target(BF16_I8MM_TARGET))), apply_to = function)

#define HAS_DOT 1
#define HAS_MATRIX 1
#include "../neon/vector.h"
#include "../neon/groups.h"
#include "../shared/bfloat16.h"

#pragma clang attribute pop

const KernelSet neonbf16Bfloat16Kernels = KERNEL_SET("neonbf16", PrecisionBfloat16, NULL);

#endif
