/// Each check holds a kernel set against `oracle` or against itself, and calls `fail`.
#ifndef CHECKS_H
#define CHECKS_H

#include "CKernels.h"

/// The scalar set of the same precision.
extern const KernelSet *_Nonnull oracle;

/// Runs only for float32.
void checkPack(const KernelSet *_Nonnull set);
/// Every height and width around the tile.
void checkProducts(const KernelSet *_Nonnull set);
/// The same bits whatever rows and panels share a call.
void checkSplits(const KernelSet *_Nonnull set);
/// Activations against double precision; NaN stays.
void checkActivations(const KernelSet *_Nonnull set);
void checkAttention(const KernelSet *_Nonnull set);
/// Rotary positions, products of elements, norms in place.
void checkElements(const KernelSet *_Nonnull set);
/// Results, and what a product reads of them.
void checkLayerNorm(const KernelSet *_Nonnull set);
void checkEmbed(const KernelSet *_Nonnull set);

#endif
