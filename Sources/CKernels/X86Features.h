#ifndef X86_FEATURES_H
#define X86_FEATURES_H

#include <stdbool.h>

/// Groups of instructions that kernel sets need.
typedef enum X86Features {
  /// AVX2, FMA, F16C.
  X86AVX2,
  /// AVX-512 F, BW, VL, DQ, and the above.
  X86AVX512,
} X86Features;

/// Whether the CPU has the instructions, and the operating system keeps their registers.
bool x86Supports(X86Features features);

#endif
