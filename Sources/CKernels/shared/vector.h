// What the files of this folder are written in. A kernel set's source file defines, for its
// instruction set and inside its target region:
//
//   vec                     LANES floats; + - * / work on it lane by lane
//   LANES, TILE_ROWS        lanes of a register; rows of the product's register tile
//   GATE_PIECES, GATE_WIDTH how `fitGate` is asked to cut a gate in pieces
//   FINE_GATE_DEGREE, ROUGH_GATE_DEGREE   of the pieces, for float32 and for bfloat16 results
//   vset(x)                 all lanes x
//   vload(p), vstore(p, v)  unaligned
//   vloadn(p, n), vstoren(p, v, n)   the first n < LANES lanes; the rest reads as 0
//   selectFirstN(v, n, other)   the first n < LANES lanes of v, the rest of other
//   vcopysign(v, sign), vselectless(a, b, less, other)   other where a < b is false
//   vfma(a, b, c)           a · b + c, rounded once
//   vmax(a, b), vmin(a, b)  NaN where a lane of b is NaN, b or NaN where one of a is
//   vround(v)               to the nearest integer
//   vscale(v, n)            v · 2ⁿ for a whole n ≤ 0; may give 2⁻¹²⁶ · v for n < -126
//   vsum(v), vlargest(v)    over the lanes, always in the same order
//   vlookup(table, index)   table[lane of index mod GATE_PIECES]; index is a vec's bits
//   vtranspose(rows)        LANES vecs, in place
//
// and then includes them. After vector.h it may define OWN_TERMS and its own `addTerms`. Each
// file's functions are static: one copy per instruction set.
//
// One lane's arithmetic never depends on the others', nor a row's on the rows beside it.

#pragma once

#ifndef LANES
#include "alone.h"
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

enum { PanelColumns = 2 * LANES };

INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

// The first n lanes, or all if there are more.
INLINE vec loadUpTo(const float *p, size_t n) { return n >= LANES ? vload(p) : vloadn(p, n); }

INLINE void storeUpTo(float *p, vec v, size_t n) {
  if (n >= LANES) {
    vstore(p, v);
  } else {
    vstoren(p, v, n);
  }
}

// What a tile needs besides its factors. Its sums are stored as sum · factor + bias + residual,
// where there are any.
typedef struct TileContext {
  // Terms of a partial sum.
  size_t sumLength;
  // Room for a tile's sums, at a multiple of KernelAlignment: the compiler's own would lie across
  // cache lines, and cost twice the time.
  float *total;
  // Whether the terms before these are in `total` already, and whether these stay there.
  bool hasTotal, leavesTotal;
  // Brought to the cache on the way, aheadStep floats for each term, StepLength terms at a time.
  const float *ahead;
  size_t aheadStep;
  // See panel.h.
  bool isStreamed;
  // One per row.
  const float *factors;
  const float *bias;
  const float *residual;
  size_t ldResidual;
} TileContext;
