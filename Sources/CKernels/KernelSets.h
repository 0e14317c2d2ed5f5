/// Shared by the kernel sets' source files.
#ifndef KERNEL_SETS_H
#define KERNEL_SETS_H

#include "CKernels.h"

extern const KernelSet scalarKernels, scalarBfloat16Kernels, scalarInt8Kernels;
extern const KernelSet scalarScaledInt8Kernels;
#if defined(__x86_64__)
extern const KernelSet avx2Kernels, avx2Bfloat16Kernels, avx2Int8Kernels, avxvnniInt8Kernels;
extern const KernelSet avx512Kernels, avx512Bfloat16Kernels, avx512Int8Kernels;
extern const KernelSet avx512vnniInt8Kernels;
extern const KernelSet amxBfloat16Kernels, amxInt8Kernels;
extern const KernelSet avx512bf16Bfloat16Kernels, avx512bf16Int8Kernels;
#elif defined(__aarch64__)
extern const KernelSet neonKernels, neonBfloat16Kernels, neondotprodInt8Kernels;
extern const KernelSet neonbf16Bfloat16Kernels, neonbf16Int8Kernels;
#endif

enum {
  /// Terms that a product adds up before their sum joins the total. Shorter sums lose less to
  /// rounding; every one costs a trip of the tile to the cache.
  PartialSumLength = 128,
  /// The same of scores, of which softmax takes the powers: an error grows with their size.
  ScoreSumLength = 16,
  /// The same of a layer with tanh, the pooler: its sums are the answer, and no layer norm follows.
  PoolerSumLength = 16,
};

/// log2(e): softmax and tanh are computed with powers of 2.
static const double log2OfE = 1.4426950408889634;

/// Fits an activation's gate by `pieces` polynomials of `degree` in x - center, the centers at
/// width · (i - pieces / 2). Coefficients of piece i at [c · pieces + (i - pieces / 2) mod pieces],
/// so that the low bits of a signed piece number are its index. Leaves other kinds alone.
void fitGate(Activation *_Nonnull activation, size_t pieces, size_t degree, double width);

#endif
