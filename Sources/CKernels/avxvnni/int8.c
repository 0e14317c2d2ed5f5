// AVX-VNNI, in registers of 256 bits: products in bytes, attention in pairs widened to floats.

#if defined(__x86_64__)

#include "../avx2/target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVXVNNI); }

#pragma clang attribute push(__attribute__((target(AVX2_TARGET ",avxvnni"))), apply_to = function)

#define HAS_VNNI 1
#include "../avx2/vector.h"
#include "../avx2/groups.h"
#include "../shared/int8.h"

#pragma clang attribute pop

const KernelSet avxvnniInt8Kernels = KERNEL_SET("avxvnni", PrecisionInt8, makeOperands);

#endif
