// Activations.

#pragma once

#include "vector.h"

// 2^t for t ≤ 0; 1.0 ulp. The coefficients are a minimax fit of degree 6 on [-1/2, 1/2], relative
// error 2e-9.
INLINE vec powerOf2(vec t) {
  const vec whole = vround(t), f = t - whole;
  vec p = vset(0x1.41fbbcp-13f);
  p = vfma(p, f, vset(0x1.5f3e52p-10f));
  p = vfma(p, f, vset(0x1.3b2d4cp-7f));
  p = vfma(p, f, vset(0x1.c6aee8p-5f));
  p = vfma(p, f, vset(0x1.ebfbdcp-3f));
  p = vfma(p, f, vset(0x1.62e430p-1f));
  p = vfma(p, f, vset(1));
  return vscale(p, whole);
}

// x · gate(x) from the piecewise polynomial: no division, no exponential, and less than an ulp of
// the gate's error. Left of the first piece the gate is 0, right of the last 1, to float's
// precision.
INLINE vec gated(vec x, const float *table) {
  // Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits.
  const vec magic = vset(0x1.8p23f);
  const vec low = vset(-(float)GATE_WIDTH * (GATE_PIECES / 2));
  const vec high = vset((float)GATE_WIDTH * (GATE_PIECES / 2 - 0.5f));
  const vec bounded = vmax(low, x), inside = vmin(high - vset(0x1p-16f), bounded);
  const vec shifted = vfma(inside, vset(1 / (float)GATE_WIDTH), magic);
  // Exact: the width has few bits, and the difference no more than x.
  const vec f = vfma(shifted - magic, vset(-(float)GATE_WIDTH), inside);
  vec p = vlookup(table + GATE_DEGREE * GATE_PIECES, shifted);
  UNROLL
  for (int c = GATE_DEGREE - 1; c >= 0; c--) {
    p = vfma(p, f, vlookup(table + c * GATE_PIECES, shifted));
  }
  return p * bounded;
}

// tanh: odd minimax polynomial below 0.65 (relative error 7e-9), 1 - 2e / (1 + e) above, where e is
// exp(-2|x|).
INLINE vec hyperbolicTangent(vec x) {
  const vec size = vmin(vset(10), vmax(x, vset(0) - x)), z = x * x;
  const vec e = powerOf2(size * vset((float)(-2 * log2OfE)));
  const vec outer = vset(1) - (e + e) / (vset(1) + e);
  vec p = vset(-0x1.69702cp-8f);
  p = vfma(p, z, vset(0x1.4f5ec2p-6f));
  p = vfma(p, z, vset(-0x1.b7cfeap-5f));
  p = vfma(p, z, vset(0x1.1103f2p-3f));
  p = vfma(p, z, vset(-0x1.555524p-2f));
  const vec inner = vfma(p * z, size, size);
  return vcopysign(vselectless(size, vset(0.65f), inner, outer), x);
}

// x / (1 + e^-x). e^-|x| cannot overflow. x is clamped at -88, where the result is about -5e-37.
INLINE vec sigmoidLinear(vec x) {
  const vec size = vmin(vset(88), vmax(x, vset(0) - x));
  const vec e = powerOf2(size * vset((float)-log2OfE));
  return vmax(vset(-88), x) * vselectless(x, vset(0), e, vset(1)) / (vset(1) + e);
}

// CALL with the kind as a constant, so that each has its own loops. Those that are x times a gate
// share one's.
#define WITH_KIND(KIND, CALL)                                      \
  switch (KIND) {                                                  \
    case ActivationNone: return CALL(ActivationNone);              \
    case ActivationReLU: return CALL(ActivationReLU);              \
    case ActivationTanh: return CALL(ActivationTanh);              \
    case ActivationSiLU: return CALL(ActivationSiLU);              \
    case ActivationGELUErf:                                        \
    case ActivationGELUTanh: return CALL(ActivationGELUErf);       \
  }

// `kind` is a constant of `WITH_KIND`, and not None.
INLINE vec activated(const ActivationKind kind, vec x, const float *table) {
  return kind == ActivationReLU   ? vmax(vset(0), x)
         : kind == ActivationTanh ? hyperbolicTangent(x)
         : kind == ActivationSiLU ? sigmoidLinear(x)
                                  : gated(x, table);
}

static void prepareActivation(ActivationKind kind, Activation *activation) {
  activation->kind = kind;
  fitGate(activation, GATE_PIECES, GATE_DEGREE, GATE_WIDTH);
}
