#if defined(__x86_64__)

#define _GNU_SOURCE
#include "X86Features.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// Intel SDM volume 2, CPUID, and volume 1, 13.3, XCR0.
enum {
  FMA = 1 << 12,
  OSXSAVE = 1 << 27,
  AVX = 1 << 28,
  F16C = 1 << 29,

  AVX2 = 1 << 5,
  AVX512F = 1 << 16,
  AVX512DQ = 1 << 17,
  AVX512BW = 1 << 30,
  AVX512VL = 1u << 31,
  AVX512VNNI = 1 << 11,
  AVX512BF16 = 1 << 5,
  AVXVNNI = 1 << 4,
  AMXBF16 = 1 << 22,
  AMXTile = 1 << 24,
  AMXInt8 = 1 << 25,

  // The 128-bit registers and their upper halves; masks, the upper halves of 512-bit registers,
  // and the registers from 16 on.
  XMM = 1 << 1,
  YMM = 1 << 2,
  Masks = 1 << 5,
  ZMM = 1 << 6,
  HighZMM = 1 << 7,
  TileShapes = 1 << 17,
  TileData = 1 << 18,
};

enum {
  LeafOne = FMA | OSXSAVE | AVX | F16C,
  LeafSeven = AVX2 | AVX512F | AVX512DQ | AVX512BW | AVX512VL,
  Registers = XMM | YMM | Masks | ZMM | HighZMM,
};

static const X86Words needs[] = {
    [X86AVX2] = {.leaf1ECX = LeafOne, .leaf7EBX = AVX2, .xcr0 = XMM | YMM},
    [X86AVXVNNI] = {.leaf1ECX = LeafOne,
                    .leaf7EBX = AVX2,
                    .leaf7Subleaf1EAX = AVXVNNI,
                    .xcr0 = XMM | YMM},
    [X86AVX512] = {.leaf1ECX = LeafOne, .leaf7EBX = LeafSeven, .xcr0 = Registers},
    [X86AVX512VNNI] = {.leaf1ECX = LeafOne,
                       .leaf7EBX = LeafSeven,
                       .leaf7ECX = AVX512VNNI,
                       .xcr0 = Registers},
    [X86AVX512BF16] = {.leaf1ECX = LeafOne,
                       .leaf7EBX = LeafSeven,
                       .leaf7ECX = AVX512VNNI,
                       .leaf7Subleaf1EAX = AVX512BF16,
                       .xcr0 = Registers},
    [X86AMX] = {.leaf1ECX = LeafOne,
                .leaf7EBX = LeafSeven,
                .leaf7ECX = AVX512VNNI,
                .leaf7EDX = AMXBF16 | AMXTile | AMXInt8,
                .leaf7Subleaf1EAX = AVX512BF16,
                .xcr0 = Registers | TileShapes | TileData},
};

static bool hasAll(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

bool x86Supports(X86Words words, X86Features features) {
  const X86Words need = needs[features];
  return hasAll(words.leaf1ECX, need.leaf1ECX) && hasAll(words.leaf7EBX, need.leaf7EBX) &&
         hasAll(words.leaf7ECX, need.leaf7ECX) && hasAll(words.leaf7EDX, need.leaf7EDX) &&
         hasAll(words.leaf7Subleaf1EAX, need.leaf7Subleaf1EAX) && hasAll(words.xcr0, need.xcr0);
}

X86Words x86Words(void) {
  X86Words words = {0};
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) words.leaf1ECX = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    words.leaf7EBX = b;
    words.leaf7ECX = c;
    words.leaf7EDX = d;
  }
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) words.leaf7Subleaf1EAX = a;
  // Without OSXSAVE the instruction is an illegal one.
  if (hasAll(words.leaf1ECX, OSXSAVE)) {
    __asm__ volatile("xgetbv" : "=a"(words.xcr0), "=d"(d) : "c"(0));
  }
  return words;
}

bool x86PermitTiles(void) {
#if defined(__linux__)
  // Linux Documentation/arch/x86/xstate.rst.
  enum { RequestPermission = 0x1023, TileDataState = 18 };
  return syscall(SYS_arch_prctl, RequestPermission, TileDataState) == 0;
#else
  return false;
#endif
}

#endif
