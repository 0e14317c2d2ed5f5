// AVX-512 F, BW, VL, DQ: 32 registers of 16 floats. The tile of 14 × 32 keeps 28 of them as sums,
// so that a step has 28 multiply-adds for 16 loads.

#if defined(__x86_64__)

#include "target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX512); }

#pragma clang attribute push(__attribute__((target(AVX512_TARGET))), apply_to = function)

#include "vector.h"
#include "../shared/float32.h"

#pragma clang attribute pop

const KernelSet avx512Kernels = KERNEL_SET("avx512", PrecisionFloat32, NULL);

#endif
