// DotProd (Neoverse N1 and later): products in bytes, attention in pairs widened to floats.

#if defined(__aarch64__)

#include "target.h"

static bool isSupported(void) { return hasAll(AT_HWCAP, CPU_DOT_PRODUCT); }

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define HAS_BF16 0
#define HAS_DOT 1
#define HAS_MATRIX 0
#include "vector.h"
#include "groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet neonDotProductInt8Kernels = KERNEL_SET("neondotprod", PrecisionInt8, makeOperands);

#endif
