// int8 where the CPU has no instruction for sums of four products: VPMADDUBSW adds two in 16 bits. So that none of
// these overflows, weights are rounded half a bit more coarsely; a scale for each 128 columns makes up for it.

#if defined(__x86_64__)

#include "target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX2); }

#pragma clang attribute push(__attribute__((target(AVX2_TARGET))), apply_to = function)

#define HAS_VNNI 0
#define SCALE_COLUMNS 128
#include "vector.h"
#include "groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet avx2Int8Kernels = KERNEL_SET("avx2", PrecisionInt8, makeOperands);

#endif
