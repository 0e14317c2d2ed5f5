// BF16 and I8MM: products in bytes, 2 × 8 by 8 × 2; attention in bfloat16.

#if defined(__aarch64__)

#include "target.h"

static bool isSupported(void) { return hasAll(AT_HWCAP, CPU_DOT_PRODUCT) && hasAll(AT_HWCAP2, CPU_BFLOAT16 | CPU_INT8_MATRIX); }

#pragma clang attribute push(__attribute__((target("dotprod,bf16,i8mm"))), apply_to = function)

#define HAS_BF16 1
#define HAS_DOT 1
#define HAS_MATRIX 1
#include "vector.h"
#include "groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet neonMatrixInt8Kernels = KERNEL_SET("neonbf16", PrecisionInt8, makeOperands);

#endif
