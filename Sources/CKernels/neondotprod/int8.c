// DotProd (Neoverse N1 and later): products in bytes, attention in pairs widened to floats.

#if defined(__aarch64__)

#include "../neon/target.h"

static bool isSupported(void) { return hasDotProduct(); }

#pragma clang attribute push(__attribute__((target(DOTPROD_TARGET))), apply_to = function)

#define HAS_DOT 1
#define HAS_MATRIX 0
#include "../neon/vector.h"
#include "../neon/groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet neondotprodInt8Kernels = KERNEL_SET("neondotprod", PrecisionInt8, makeOperands);

#endif
