#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "Checks.h"
#include "Memory.h"
#include "Values.h"

// A layer of random weights, as one set packs it.
static LinearLayer makeLayer(const KernelSet *set, const float *weights, const float *bias,
                             size_t inputs, size_t outputs, Activation *activation) {
  const size_t panels = (outputs + set->panelColumns - 1) / set->panelColumns;
  void *packed = guardedBytes(panels * set->panelSize(inputs), 0xff, After);
  set->pack(weights, outputs, inputs, 0, panels, packed);
  return (LinearLayer){packed, bias, inputs, outputs, activation, .givesValues = false};
}

static size_t panelCount(const KernelSet *set, const LinearLayer *layer) {
  return (layer->outputs + set->panelColumns - 1) / set->panelColumns;
}

// A product of operands; the distance of the rows of y in elements, as of its residual.
static void multiply(const KernelSet *set, const LinearLayer *layer, size_t firstPanel,
                     size_t endPanel, size_t rows, const void *x, size_t ldx,
                     const float *residual, size_t ldy, float *y) {
  set->product(layer, firstPanel, endPanel, rows, x, ldx, residual, ldy, y, ldy * sizeof *y);
}

void checkPack(const KernelSet *set) {
  const size_t width = set->panelColumns;
  for (size_t outputs = 1; outputs <= 2 * width + 1; outputs++) {
    for (size_t inputs = 1; inputs <= width + 1; inputs++) {
      const size_t panels = (outputs + width - 1) / width, count = panels * width * inputs;
      const float *weights = randomFloats(outputs * inputs, -1, 1, After);
      float *packed = guardedFloats(count, NAN, After);
      float *expected = guardedFloats(count, 0, After);
      for (size_t p = 0; p < panels; p++) set->pack(weights, outputs, inputs, p, p + 1, packed);
      for (size_t j = 0; j < outputs; j++) {
        for (size_t k = 0; k < inputs; k++) {
          expected[(j / width * inputs + k) * width + j % width] = weights[j * inputs + k];
        }
      }
      expectSame("pack", count, packed, expected);
      releaseFloats();
    }
  }
}

// Rows of x and y lie this far apart; what is in between stays as it was.
enum { Gap = 3 };

static void compareProducts(const KernelSet *set, size_t rows, size_t inputs, size_t outputs,
                            Side side) {
  Activation none, oracleNone;
  set->prepareActivation(ActivationNone, &none);
  oracle->prepareActivation(ActivationNone, &oracleNone);
  const float *weights = randomFloats(inputs * outputs, -1, 1, After);
  const float *bias = randomFloats(outputs, -1, 1, After);
  const size_t ldx = inputs + Gap, ldy = outputs + Gap, count = (rows - 1) * ldy + outputs;
  const float *x = randomFloats((rows - 1) * ldx + inputs, -1, 1, side);
  const float *residual = rows % 2 == 0 ? randomFloats(count, -1, 1, side) : NULL;
  const LinearLayer layer = makeLayer(set, weights, bias, inputs, outputs, &none);
  const LinearLayer same = makeLayer(oracle, weights, bias, inputs, outputs, &oracleNone);
  float *y = guardedFloats(count, 5, side), *expected = guardedFloats(count, 5, side);
  size_t ld, oracleLd;
  const void *own = operandsOf(set, rows, inputs, x, ldx, side, &ld);
  const void *oracles = operandsOf(oracle, rows, inputs, x, ldx, side, &oracleLd);
  multiply(set, &layer, 0, panelCount(set, &layer), rows, own, ld, residual, ldy, y);
  multiply(oracle, &same, 0, panelCount(oracle, &same), rows, oracles, oracleLd, residual, ldy,
           expected);
  char what[80];
  snprintf(what, sizeof what, "product of %zu rows, %zu x %zu", rows, inputs, outputs);
  // Sums of up to 401 terms below 1, rounded in another order: a few ulps of √401 each. bfloat16 has no
  // partial sums, and BFMMLA rounds each addition to odd. Sums of int8 are
  // exact: only scale, bias and residual are rounded.
  expectNear(what, count, y, expected, set->precision == PrecisionBfloat16 ? 8e-5f : 2e-5f);
  releaseFloats();
}

void checkProducts(const KernelSet *set) {
  const size_t width = set->panelColumns;
  for (Side side = Before; side <= After; side++) {
    for (size_t rows = 1; rows <= 2 * set->tileRows + 1; rows++) {
      for (size_t outputs = 1; outputs <= 2 * width + 1; outputs++) {
        compareProducts(set, rows, outputs % 5 + 1, outputs, side);
      }
      compareProducts(set, rows, 127, 2 * width, side);
      compareProducts(set, rows, 128, width + 1, side);
      compareProducts(set, rows, 129, width, side);
      compareProducts(set, rows, 401, 2 * width - 1, side);
    }
  }
}

void checkSplits(const KernelSet *set) {
  const size_t inputs = 133, outputs = 2 * set->panelColumns + 3, rows = 2 * set->tileRows + 3;
  Activation gelu;
  set->prepareActivation(ActivationGELUErf, &gelu);
  const float *weights = randomFloats(inputs * outputs, -1, 1, After);
  const LinearLayer layer = makeLayer(set, weights, randomFloats(outputs, -1, 1, After), inputs,
                                      outputs, &gelu);
  const size_t panels = panelCount(set, &layer);
  const float *x = randomFloats(rows * inputs, -1, 1, After);
  float *whole = guardedFloats(rows * outputs, NAN, After);
  float *part = guardedFloats(rows * outputs, NAN, Before);
  size_t ld;
  const uint8_t *operands = operandsOf(set, rows, inputs, x, inputs, After, &ld);
  multiply(set, &layer, 0, panels, rows, operands, ld, NULL, outputs, whole);
  for (size_t start = 0; start < rows; start++) {
    for (size_t count = 1; count <= rows - start; count++) {
      multiply(set, &layer, 0, panels, count, operands + start * ld, ld, NULL, outputs, part);
      expectSame("rows of a split product", count * outputs, part, whole + start * outputs);
    }
  }
  for (size_t i = 0; i < rows * outputs; i++) part[i] = 7;
  for (size_t p = panels; p-- > 0;) {
    multiply(set, &layer, p, p + 1, rows, operands, ld, NULL, outputs, part);
    const size_t first = p * set->panelColumns;
    for (size_t r = 0; r < rows; r++) {
      expectSame("panels of a split product", outputs - first, part + r * outputs + first,
                 whole + r * outputs + first);
      for (size_t j = 0; j < first; j++) {
        if (part[r * outputs + j] != 7) fail("product of panel %zu wrote column %zu", p, j);
      }
    }
  }
  releaseFloats();
}

static double exactly(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationNone: return x;
    case ActivationReLU: return x < 0 ? 0 : x;
    case ActivationGELUErf: return 0.5 * x * erfc(-x * sqrt(0.5));
    case ActivationGELUTanh:
      return x / (1 + exp(-2 * sqrt(2 / 3.14159265358979324) * (x + 0.044715 * x * x * x)));
    case ActivationTanh: return tanh(x);
    case ActivationSiLU: return x / (1 + exp(-x));
  }
}

void checkActivations(const KernelSet *set) {
  static const float special[] = {0, -0.0f, 1e-30f, -1e-30f, 100, -100, -3e38f, 3e38f, NAN};
  enum { Specials = sizeof special / sizeof *special, Steps = 18000, Rows = Specials + 2 * Steps };
  static const float one = 1, zero = 0;
  for (ActivationKind kind = ActivationNone; kind <= ActivationSiLU; kind++) {
    Activation activation;
    set->prepareActivation(kind, &activation);
    const LinearLayer layer = makeLayer(set, &one, &zero, 1, 1, &activation);
    float *x = guardedFloats(Rows, 0, After), *y = guardedFloats(Rows, 0, After);
    for (int i = 0; i < Rows; i++) {
      x[i] = i < Specials ? special[i] : (float)(i - Specials - Steps) * 5e-4f;
    }
    size_t ld;
    const void *operands = operandsOf(set, Rows, 1, x, 1, After, &ld);
    multiply(set, &layer, 0, 1, Rows, operands, ld, NULL, 1, y);
    if (set->precision == PrecisionBfloat16) x = floatsOf(set, Rows, valuesOf(set, Rows, x, After));
    double worst = 0;
    int place = 0;
    // int8 rounds smaller ones to 0.
    const double smallest = set->precision == PrecisionInt8 ? 1e-20
                            : kind == ActivationSiLU        ? 1e-29
                                                            : 1e-30;
    for (int i = 0; i < Rows; i++) {
      if (x[i] != x[i]) {
        if (y[i] == y[i]) fail("activation %d of NaN is %g", kind, (double)y[i]);
        continue;
      }
      const double exact = exactly(kind, (double)x[i]);
      // In units of float's resolution at the larger of the result and, for GELU, x itself: the
      // framework's own x · (1 + erf) rounds 1 + erf. Every set has GELU within 1.9, tanh 2.7, SiLU 11.
      const double size =
          kind == ActivationTanh || kind == ActivationSiLU
              ? fabs(exact)
              : fmax(fabs(exact), fabs((double)x[i]));
      const double error = fabs((double)y[i] - exact) / fmax(size, smallest) * 0x1p24;
      if (!(error <= worst)) worst = error, place = i;
    }
    const bool isRough = set->precision != PrecisionFloat32;
    if (!(worst < (isRough ? 400 : kind == ActivationTanh ? 3 : kind == ActivationSiLU ? 12 : 2))) {
      fail("activation %d at %g is %g", kind, (double)x[place], (double)y[place]);
    }
    releaseFloats();
  }
}
