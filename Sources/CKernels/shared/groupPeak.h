// The machine's limit in this set's products, as in peak.h.

#pragma once

#if __INCLUDE_LEVEL__ == 0  // see alone.h
#include "bfloat16.h"
#endif

#ifndef PEAK_GROUPS
// Groups of x and of weights that an instruction multiplies, a lane.
#define PEAK_GROUPS 1
#endif

enum { PeakChains = 12, PeakOperations = 2 * PEAK_GROUPS * GroupSize * LANES * PeakChains };

static void peak(size_t steps) {
  bits sums[PeakChains];
  // A pair of bfloat16 ones, so that no float is denormal.
  const bits x = bset(0x3f803f80), w = bset(0x3f803f80);
  UNROLL
  for (int i = 0; i < PeakChains; i++) sums[i] = bset(i);
  for (size_t step = 0; step < steps; step++) {
    UNROLL
    for (int i = 0; i < PeakChains; i++) sums[i] = PEAK_DOT(sums[i], x, w);
  }
  bits total = sums[0];
  for (int i = 1; i < PeakChains; i++) total = bor(total, sums[i]);
  // A result that somebody might read, so that the work is not left out.
  volatile float sink = vsum(asFloats(total));
  (void)sink;
}
