#include "KernelSets.h"

#include <math.h>

static const KernelSet *const sets[] = {
#if defined(__x86_64__)
    &avx512Kernels,
    &avx2Kernels,
    &amxBfloat16Kernels,
    &avx512bf16Bfloat16Kernels,
    &avx512Bfloat16Kernels,
    &avx2Bfloat16Kernels,
    &amxInt8Kernels,
    &avx512bf16Int8Kernels,
    &avx512vnniInt8Kernels,
    &avxvnniInt8Kernels,
    &avx512Int8Kernels,
    &avx2Int8Kernels,
#elif defined(__aarch64__)
    &neonKernels,
    &neonbf16Bfloat16Kernels,
    &neonBfloat16Kernels,
    &neonbf16Int8Kernels,
    &neondotprodInt8Kernels,
#endif
    &scalarKernels,
    &scalarBfloat16Kernels,
    &scalarInt8Kernels,
};

const KernelSet *kernelSet(size_t index) {
  return index < sizeof sets / sizeof *sets ? sets[index] : NULL;
}

const KernelSet *oracleOf(const KernelSet *set) {
#if defined(__x86_64__)
  if (set == &avx2Int8Kernels) return &scalarScaledInt8Kernels;
#endif
  switch (set->precision) {
    case PrecisionFloat32: return &scalarKernels;
    case PrecisionBfloat16: return &scalarBfloat16Kernels;
    case PrecisionInt8: return &scalarInt8Kernels;
  }
}

static double gate(ActivationKind kind, double x) {
  static const double sqrtHalf = 0.70710678118654752, sqrtTwoOverPi = 0.79788456080286536;
  return kind == ActivationGELUErf
             ? 0.5 * erfc(-x * sqrtHalf)
             : 1 / (1 + exp(-2 * sqrtTwoOverPi * (x + 0.044715 * x * x * x)));
}

void fitGate(Activation *activation, size_t pieces, size_t degree, double width) {
  enum { MaxCount = 16 };
  static const double pi = 3.14159265358979324;
  if (activation->kind != ActivationGELUErf && activation->kind != ActivationGELUTanh) return;
  const size_t count = degree + 1;
  for (size_t piece = 0; piece < pieces; piece++) {
    const double center = width * ((double)piece - (double)(pieces / 2));
    // Interpolation at Chebyshev's nodes: nearly the smallest largest error. Newton's divided
    // differences, then Horner's rule turns them into coefficients of powers.
    double nodes[MaxCount], differences[MaxCount], powers[MaxCount] = {0};
    for (size_t i = 0; i < count; i++) {
      nodes[i] = 0.5 * width * cos(pi * ((double)i + 0.5) / (double)count);
      differences[i] = gate(activation->kind, center + nodes[i]);
    }
    for (size_t order = 1; order < count; order++) {
      for (size_t i = count - 1; i >= order; i--) {
        differences[i] =
            (differences[i] - differences[i - 1]) / (nodes[i] - nodes[i - order]);
      }
    }
    for (size_t i = count; i-- > 0;) {
      for (size_t c = count - 1; c > 0; c--) powers[c] = powers[c - 1] - nodes[i] * powers[c];
      powers[0] = differences[i] - nodes[i] * powers[0];
    }
    const size_t index = (piece + pieces - pieces / 2) % pieces;
    for (size_t c = 0; c < count; c++) activation->gate[c * pieces + index] = (float)powers[c];
  }
}
