// AVX2, FMA, F16C: 16 registers of 8 floats. The tile of 6 × 16 keeps 12 of them as sums.

#if defined(__x86_64__)

#include "target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX2); }

#pragma clang attribute push(__attribute__((target(AVX2_TARGET))), apply_to = function)

#include "vector.h"
#include "../shared/float32.h"

#pragma clang attribute pop

const KernelSet avx2Kernels = KERNEL_SET("avx2", PrecisionFloat32, NULL);

#endif
