// Eight bits are few for rows with one element far larger than the rest. So rows are rotated before
// they are rounded, x by the same rotation as the weights, which leaves x · w as it was: pieces of
// blocks of 16 columns are mixed by Hadamard matrices, which spread an element over its piece
// (QuaRot, arXiv 2404.00456). Every sum in here is rounded alike by every kernel set.

#pragma once

#include "values.h"

enum {
  RotationBlock = 16,
  // The Hadamard matrices' most rows.
  MostBlocks = 16,
  // Columns of the largest piece: all have one scale.
#ifdef SCALE_COLUMNS
  MostRotated = SCALE_COLUMNS,
#else
  MostRotated = MostBlocks * RotationBlock,
#endif
};

// Rotated rows are this much longer, so that the largest pieces need no factor.
#define ROTATION_LENGTH 4.0f

// Columns of the piece that begins before so many remaining columns: 16, 8, 4, 2 or 1 blocks, and
// at last fewer columns than a block.
INLINE size_t pieceSize(size_t remaining) {
  if (remaining < RotationBlock) return remaining;
  size_t size = MostRotated;
  while (size > remaining) size /= 2;
  return size;
}

// The larger of what a lane has had and |v|, by their bits: NaN is the largest.
INLINE bits largerSize(bits largest, vec v) {
  return bmax(largest, bandnot(asBits(vset(-0.0f)), asBits(v)));
}

INLINE vec loadAny(const bool isValues, const void *x, size_t j, size_t n) {
  return isValues ? loadValues((const Value *)x + j, n) : loadUpTo((const float *)x + j, n);
}

// `blocks` and `isValues` are constants at each use.
INLINE bits rotateBlocks(const size_t blocks, const float factor, const bool isValues,
                         const void *x, size_t start, float *to, bits largest) {
  for (size_t lane = 0; lane < RotationBlock; lane += LANES) {
    vec v[MostBlocks];
    UNROLL
    for (size_t i = 0; i < blocks; i++) {
      v[i] = loadAny(isValues, x, start + i * RotationBlock + lane, LANES);
    }
    UNROLL
    for (size_t half = 1; half < blocks; half *= 2) {
      UNROLL
      for (size_t i = 0; i < blocks; i++) {
        if (i & half) continue;
        const vec sum = v[i] + v[i + half];
        v[i + half] = v[i] - v[i + half];
        v[i] = sum;
      }
    }
    UNROLL
    for (size_t i = 0; i < blocks; i++) {
      if (factor != 1) v[i] *= vset(factor);
      vstore(to + i * RotationBlock + lane, v[i]);
      largest = largerSize(largest, v[i]);
    }
  }
  return largest;
}

// Rotates the piece of x that begins at `start`.
INLINE bits rotatePiece(const bool isValues, const void *x, size_t start, size_t size, float *to,
                        bits largest) {
  switch (size) {
    case 16 * RotationBlock:
      return rotateBlocks(16, 1, isValues, x, start, to, largest);
    case 8 * RotationBlock:
      return rotateBlocks(8, 0x1.6a09e6p0f, isValues, x, start, to, largest);
    case 4 * RotationBlock: return rotateBlocks(4, 2, isValues, x, start, to, largest);
    case 2 * RotationBlock:
      return rotateBlocks(2, 0x1.6a09e6p1f, isValues, x, start, to, largest);
    case RotationBlock: return rotateBlocks(1, 4, isValues, x, start, to, largest);
    default:
      for (size_t j = 0; j < size; j += LANES) {
        const vec v = loadAny(isValues, x, start + j, size - j) * vset(ROTATION_LENGTH);
        storeUpTo(to + j, v, size - j);
        largest = largerSize(largest, v);
      }
      return largest;
  }
}
