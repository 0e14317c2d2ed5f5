// bfloat16 where the CPU has no instructions for it: pairs are widened to floats, of weights a
// panel at a time.

#if defined(__x86_64__)

#include "target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX2); }

#pragma clang attribute push(__attribute__((target(AVX2_TARGET))), apply_to = function)

#define HAS_VNNI 0
#include "vector.h"
#include "groups.h"
#include "../shared/bfloat16.h"

#pragma clang attribute pop

const KernelSet avx2Bfloat16Kernels = KERNEL_SET("avx2", PrecisionBfloat16, makeOperands);

#endif
