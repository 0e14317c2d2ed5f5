// What the files of this folder begin with, before the target region.

#pragma once

#include <arm_neon.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "../KernelSets.h"

#define DOTPROD_TARGET "dotprod"
#define BF16_I8MM_TARGET DOTPROD_TARGET ",bf16,i8mm"

static inline bool hasDotProduct(void) {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return false;
#endif
}

static inline bool hasMatrixProducts(void) {
#if defined(__linux__)
  const unsigned long both = HWCAP2_I8MM | HWCAP2_BF16;
  return hasDotProduct() && (getauxval(AT_HWCAP2) & both) == both;
#else
  return false;
#endif
}
