/// What kernel sets of all precisions read and write, made of floats and back.
#ifndef VALUES_H
#define VALUES_H

#include "CKernels.h"
#include "Memory.h"

/// The bound of float32, or the one of the lower precisions.
float boundOf(const KernelSet *_Nonnull set, float float32, float lower);

/// Values of floats that may have gaps of any kind, rounded to the set's precision.
void *_Nonnull valuesOf(const KernelSet *_Nonnull set, size_t count, const float *_Nonnull floats, Side side);
/// The floats that values are.
float *_Nonnull floatsOf(const KernelSet *_Nonnull set, size_t count, const void *_Nonnull values);

/// Operands of x, [rows, columns], without gaps but for the set's own: of float32 x itself.
///
/// - ld: set to the bytes from row to row.
const void *_Nonnull operandsOf(const KernelSet *_Nonnull set, size_t rows, size_t columns,
                                const float *_Nonnull x, size_t ldx, Side side, size_t *_Nonnull ld);

#endif
