// What the files of this folder begin with, before the target region.

#pragma once

#include <arm_neon.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

#include "../KernelSets.h"

// Linux' names of what a CPU has, in AT_HWCAP and AT_HWCAP2 (arch/arm64/include/uapi/asm/hwcap.h).
#define CPU_DOT_PRODUCT (1ul << 20)
#define CPU_INT8_MATRIX (1ul << 13)
#define CPU_BFLOAT16 (1ul << 14)

static inline bool hasAll(unsigned long kind, unsigned long bits) {
  return (getauxval(kind) & bits) == bits;
}
