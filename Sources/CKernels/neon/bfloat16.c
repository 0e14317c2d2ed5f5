// bfloat16 on every 64-bit ARM CPU: pairs are widened to floats as they are multiplied.

#if defined(__aarch64__)

#define HAS_DOT 0
#define HAS_MATRIX 0
#include "vector.h"
#include "groups.h"
#include "../shared/bfloat16.h"

static bool isSupported(void) { return true; }

const KernelSet neonBfloat16Kernels = KERNEL_SET("neon", PrecisionBfloat16, NULL);

#endif
