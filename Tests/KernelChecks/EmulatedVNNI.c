// AVX-VNNI's set with a software version of VPDPBUSD, for any CPU with AVX2.

#if defined(__x86_64__)

#include "../../Sources/CKernels/avx2/target.h"

static bool isSupported(void) { return x86Supports(x86Words(), X86AVX2); }

#pragma clang attribute push(__attribute__((target(AVX2_TARGET))), apply_to = function)

#define HAS_VNNI 1
#define EMULATED_VNNI
#include "../../Sources/CKernels/avx2/vector.h"
#include "../../Sources/CKernels/avx2/groups.h"
#include "../../Sources/CKernels/shared/int8.h"

#pragma clang attribute pop

const KernelSet emulatedVNNIKernels = KERNEL_SET("emulated-vnni", PrecisionInt8, makeOperands);

#endif
