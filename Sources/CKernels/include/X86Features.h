/// What an x86-64 machine can run, from the words in which it says so.
#ifndef X86_FEATURES_H
#define X86_FEATURES_H

#if defined(__x86_64__)

#include <stdbool.h>
#include <stdint.h>

/// Groups of instructions that kernel sets need.
typedef enum X86Features : int32_t {
  /// AVX2, FMA, F16C.
  X86AVX2,
  /// AVX-VNNI, and the above.
  X86AVXVNNI,
  /// AVX-512 F, BW, VL, DQ, and AVX2.
  X86AVX512,
  /// AVX512_VNNI, and the above.
  X86AVX512VNNI,
  /// AVX512_BF16, and the above.
  X86AVX512BF16,
  /// AMX: tiles, multiply-adds of bfloat16 and of bytes; and the above.
  X86AMX,
} X86Features;

/// Words of CPUID, and XCR0: the registers that the operating system saves. Bits are set where a
/// word is there and says yes.
typedef struct X86Words {
  uint32_t leaf1ECX, leaf7EBX, leaf7ECX, leaf7EDX, leaf7Subleaf1EAX, xcr0;
} X86Words;

/// This machine's.
X86Words x86Words(void);

/// Whether the CPU has the instructions, and the operating system keeps their registers.
bool x86Supports(X86Words words, X86Features features);

/// Asks the operating system for AMX's tiles, for all threads of the process. False if it has none to give.
bool x86PermitTiles(void);

#endif

#endif
