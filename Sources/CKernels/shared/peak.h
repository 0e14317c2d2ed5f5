// The machine's limit, in this set's instructions: what products are measured against.

#pragma once

#include "vector.h"

// As many independent sums as the tile has: enough to keep every multiply-add unit busy through
// its latency.
enum { PeakChains = 2 * TILE_ROWS, PeakOperations = 2 * LANES * PeakChains };

static void peak(size_t steps) {
  vec sums[PeakChains];
  const vec factor = vset(0.999f), term = vset(1e-3f);
  // Not from 1, which the step leaves as it is: the compiler would leave that chain out.
  UNROLL
  for (int i = 0; i < PeakChains; i++) sums[i] = vset((float)(i + 2));
  for (size_t step = 0; step < steps; step++) {
    UNROLL
    for (int i = 0; i < PeakChains; i++) sums[i] = vfma(sums[i], factor, term);
  }
  vec total = sums[0];
  for (int i = 1; i < PeakChains; i++) total += sums[i];
  // A result that somebody might read, so that the work is not left out.
  volatile float sink = vsum(total);
  (void)sink;
}
