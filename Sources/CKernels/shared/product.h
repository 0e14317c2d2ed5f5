// Linear layers: packing, the register tile, and the loops around it.

#pragma once

#include "gate.h"
#include "panel.h"

static size_t panelSize(size_t inputs) { return PanelColumns * inputs * sizeof(float); }

static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, void *packed) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    const size_t first = p * PanelColumns;
    packPanel(least(PanelColumns, outputs - first), inputs, weights + first * inputs, inputs,
              (float *)packed + first * inputs);
  }
}

INLINE void storeTile(const size_t rows, size_t columns, vec sums[TILE_ROWS][2],
                      const TileContext *context, float *y, size_t ldy) {
  UNROLL
  for (size_t half = 0; half < 2; half++) {
    const size_t j = half * LANES, n = columns - j;
    if (j >= columns) break;
    if (context->factors) {
      UNROLL
      for (size_t r = 0; r < rows; r++) sums[r][half] *= vset(context->factors[r]);
    }
    if (context->bias) {
      const vec bias = loadUpTo(context->bias + j, n);
      UNROLL
      for (size_t r = 0; r < rows; r++) sums[r][half] += bias;
    }
    if (context->residual) {
      UNROLL
      for (size_t r = 0; r < rows; r++) {
        sums[r][half] += loadUpTo(context->residual + r * context->ldResidual + j, n);
      }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++) storeUpTo(y + r * ldy + j, sums[r][half], n);
  }
}

#ifndef OWN_TERMS
INLINE void addTerm(const size_t rows, const uint8_t *const starts[], size_t bytesX, size_t offset,
                    const float *terms, vec sums[TILE_ROWS][2]) {
  const vec left = vload(terms), right = vload(terms + LANES);
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    const vec value = vset(*(const float *)(rowAt(starts, r, bytesX) + offset));
    sums[r][0] = vfma(value, left, sums[r][0]);
    sums[r][1] = vfma(value, right, sums[r][1]);
  }
}

// Adds the terms [start, end) of x · panel to a tile's sums, in the order of k.
INLINE void addTerms(const size_t rows, size_t start, size_t end, const float *x, size_t ldx,
                     const float *panel, const TileContext *context,
                     vec sums[TILE_ROWS][2]) {
  const size_t step = context->aheadStep, bytesX = ldx * sizeof *x;
  const float *ahead = context->ahead + start * step, *terms = panel + start * PanelColumns;
  const uint8_t *starts[ROW_POINTERS];
  pointAtRows(rows, x + start, bytesX, starts);
  size_t left = end - start;
  for (; left >= StepLength; left -= StepLength) {
    fetchAhead(ahead, StepLength * step * sizeof *ahead, context->isStreamed);
    ahead += StepLength * step;
    UNROLL
    for (size_t k = 0; k < StepLength; k++) {
      addTerm(rows, starts, bytesX, k * sizeof *x, terms + k * PanelColumns, sums);
    }
    terms += StepLength * PanelColumns;
    advanceRows(rows, StepLength * sizeof *x, starts);
  }
  for (; left > 0; left--) {
    addTerm(rows, starts, bytesX, 0, terms, sums);
    terms += PanelColumns;
    advanceRows(rows, sizeof *x, starts);
  }
}
#endif

// The last term of a partial sum, its way to the total, and the first term of the next sum: row by
// row, so that stores go on beside multiplications.
INLINE void changeSums(const size_t rows, const bool isFirst, const float *x, size_t ldx,
                       const float *panel, vec sums[TILE_ROWS][2], float *total) {
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    const vec last = vset(x[r * ldx]), next = vset(x[r * ldx + 1]);
    UNROLL
    for (size_t half = 0; half < 2; half++) {
      const float *terms = panel + half * LANES;
      float *place = total + r * PanelColumns + half * LANES;
      const vec sum = vfma(last, vload(terms), sums[r][half]);
      vstore(place, isFirst ? sum : sum + vload(place));
      sums[r][half] = next * vload(terms + PanelColumns);
    }
  }
}

// One tile of y, [rows, columns ≤ PanelColumns] = x · panel, and what finishes it.
//
// `rows` is a constant at each use, so the accumulators are registers. Terms are added in the
// order of k, at most sumLength at a time; the total is kept in memory in between.
INLINE void tile(const size_t rows, size_t inputs, size_t columns, const float *x, size_t ldx,
                 const float *panel, const TileContext *context, float *y, size_t ldy) {
  vec sums[TILE_ROWS][2];
  UNROLL
  for (size_t r = 0; r < rows; r++) {
    // Lines of y come before the sums are done: a store that misses holds up those after it.
    __builtin_prefetch(y + r * ldy, 1);
    __builtin_prefetch(y + r * ldy + LANES, 1);
    const vec value = vset(x[r * ldx]);
    sums[r][0] = value * vload(panel);
    sums[r][1] = value * vload(panel + LANES);
  }
  const size_t length = context->sumLength;
  size_t start = 0;
  for (; inputs - start > length; start += length) {
    const size_t last = start + length - 1;
    addTerms(rows, start + 1, last, x, ldx, panel, context, sums);
    if (start == 0 && !context->hasTotal) {
      changeSums(rows, true, x + last, ldx, panel + last * PanelColumns, sums, context->total);
    } else {
      changeSums(rows, false, x + last, ldx, panel + last * PanelColumns, sums, context->total);
    }
  }
  addTerms(rows, start + 1, inputs, x, ldx, panel, context, sums);
  if (start > 0 || context->hasTotal) {
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      sums[r][0] += vload(context->total + r * PanelColumns);
      sums[r][1] += vload(context->total + r * PanelColumns + LANES);
    }
  }
  if (context->leavesTotal) {
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      vstore(context->total + r * PanelColumns, sums[r][0]);
      vstore(context->total + r * PanelColumns + LANES, sums[r][1]);
    }
    return;
  }
  if (columns == PanelColumns) {
    storeTile(rows, PanelColumns, sums, context, y, ldy);
  } else {
    storeTile(rows, columns, sums, context, y, ldy);
  }
}

typedef void Tile(size_t inputs, size_t columns, const float *x, size_t ldx, const float *panel,
                  const TileContext *context, float *y, size_t ldy);

#define TILE(ROWS)                                                                               \
  static __attribute__((noinline)) void tile##ROWS(                                              \
      size_t inputs, size_t columns, const float *x, size_t ldx, const float *panel,             \
      const TileContext *context, float *y, size_t ldy) {                                        \
    tile(ROWS, inputs, columns, x, ldx, panel, context, y, ldy);                                 \
  }
TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if TILE_ROWS > 6
TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
#if TILE_ROWS > 12
TILE(13) TILE(14)
#endif
static Tile *const tiles[] = {
    0, tile1, tile2, tile3, tile4, tile5, tile6,
#if TILE_ROWS > 6
    tile7, tile8, tile9, tile10, tile11, tile12,
#endif
#if TILE_ROWS > 12
    tile13, tile14,
#endif
};
#undef TILE
_Static_assert(sizeof tiles / sizeof *tiles == TILE_ROWS + 1, "a tile for every height");

INLINE void activateRows(const ActivationKind kind, const float *table, size_t rows,
                         size_t columns, float *y, size_t ldy) {
  if (kind == ActivationNone) return;
  // A copy that y cannot overlap: it stays in registers.
  float gate[(GATE_DEGREE + 1) * GATE_PIECES];
  if (kind == ActivationGELUErf) memcpy(gate, table, sizeof gate);
  for (size_t r = 0; r < rows; r++) {
    float *row = y + r * ldy;
    for (size_t j = 0; j < columns; j += LANES) {
      const vec x = loadUpTo(row + j, columns - j);
      storeUpTo(row + j, activated(kind, x, gate), columns - j);
    }
  }
}

// Applies an activation in place to y, [rows, columns].
static void activate(const Activation *activation, size_t rows, size_t columns, float *y,
                     size_t ldy) {
#define ACTIVATE(KIND) activateRows(KIND, activation->gate, rows, columns, y, ldy)
  WITH_KIND(activation->kind, ACTIVATE)
#undef ACTIVATE
}

// A streamed product takes a panel in short pieces, each tile one, while the next is on its way.
enum { StreamedTiles = (StreamedRows + TILE_ROWS - 1) / TILE_ROWS };

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *operands, size_t bytesX, const float *residual,
                    size_t ldResidual, void *results, size_t bytesY) {
  const float *x = operands, *weights = layer->weights;
  float *y = results;
  const size_t ldx = bytesX / sizeof(float), ldy = bytesY / sizeof(float);
  const size_t inputs = layer->inputs, count = tileCount(rows);
  const bool isStreamed = rows <= StreamedRows;
  const size_t length = isStreamed ? PartialSumLength : inputs;
  const size_t sumLength =
      layer->activation->kind == ActivationTanh ? PoolerSumLength : PartialSumLength;
  _Alignas(KernelAlignment) float totals[StreamedTiles][TILE_ROWS * PanelColumns];
  for (size_t p = firstPanel; p < endPanel; p++) {
    const size_t first = p * PanelColumns;
    const size_t columns = least(PanelColumns, layer->outputs - first);
    for (size_t k = 0; k < inputs; k += length) {
      const size_t terms = least(length, inputs - k), size = terms * PanelColumns;
      const float *piece = weights + first * inputs + k * PanelColumns;
      const bool isLast = k + terms == inputs;
      const bool fetchesNext = !isLast || p + 1 < endPanel;
      for (size_t t = 0; t < count; t++) {
        const size_t step = fetchesNext ? fetchStep(PanelColumns, count, t) : 0;
        const size_t start = rows * t / count, height = rows * (t + 1) / count - start;
        float *place = y + start * ldy + first;
        const TileContext context = {
            .sumLength = sumLength,
            .total = totals[isStreamed ? t : 0],
            .hasTotal = k > 0,
            .leavesTotal = !isLast,
            .isStreamed = isStreamed,
            .ahead = piece + size + terms * t * step,
            .aheadStep = step,
            .bias = layer->bias + first,
            .residual = residual ? residual + start * ldResidual + first : NULL,
            .ldResidual = ldResidual,
        };
        tiles[height](terms, columns, x + start * ldx + k, ldx, piece, &context, place, ldy);
        if (isLast) activate(layer->activation, height, columns, place, ldy);
      }
    }
  }
}
