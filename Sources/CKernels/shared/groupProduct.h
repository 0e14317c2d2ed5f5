// The loops around the tile of groups, and what follows a tile's sums. The precision defines
//
//   productTiles             its tiles
//   summedSize(inputs)       bytes of an operand row that a tile goes over
//   RowTerms, rowTerms(row, inputs)   what an operand row says of itself
//   total(sums, terms, panel, inputs, j, bias)   a panel's columns from j on, as floats
//
// A bfloat16 set that widens panels has the loops of widenedProduct.h; one that defines OWN_PRODUCT has its own
// `product` and `peak`.

#pragma once

#if __INCLUDE_LEVEL__ == 0  // see alone.h
#include "bfloat16.h"
#endif

#ifndef SCALE_COLUMNS
// The groups of a panel that a tile goes over, and for each of which it fetches a part of the next panel.
INLINE size_t fetchedGroups(size_t bytes) { return bytes / 4; }
#endif

// Where a tile's sums go.
typedef struct TileResult {
  const LinearLayer *layer;
  const uint8_t *x;
  size_t ldx;
  const uint8_t *panel;
  size_t first, rows, columns;
  const float *residual;
  size_t ldResidual;
  uint8_t *y;
  size_t ldy;
} TileResult;

// Of `rows` rows from `row` on, and panel p.
INLINE TileResult tileResult(const LinearLayer *layer, size_t p, size_t row, size_t rows,
                             const void *x, size_t ldx, const float *residual, size_t ldResidual,
                             void *y, size_t ldy) {
  const size_t first = p * PanelColumns;
  return (TileResult){
      .layer = layer,
      .x = (const uint8_t *)x + row * ldx,
      .ldx = ldx,
      .panel = (const uint8_t *)layer->weights + p * panelSize(layer->inputs),
      .first = first,
      .rows = rows,
      .columns = least(PanelColumns, layer->outputs - first),
      .residual = residual ? residual + row * ldResidual + first : NULL,
      .ldResidual = ldResidual,
      .y = (uint8_t *)y + row * ldy + first * (layer->givesValues ? ValueSize : sizeof(float)),
      .ldy = ldy,
  };
}

// `kind` and `givesValues` are constants at each use.
INLINE void finishRows(const ActivationKind kind, const bool givesValues, const TileResult *to,
                       const uint32_t sums[TILE_ROWS * PanelColumns]) {
  const float *bias = to->layer->bias + to->first;
  const size_t inputs = to->layer->inputs;
  // A copy that y cannot overlap: it stays in registers.
  float gate[(GATE_DEGREE + 1) * GATE_PIECES];
  if (kind == ActivationGELUErf) memcpy(gate, to->layer->activation->gate, sizeof gate);
  for (size_t r = 0; r < to->rows; r++) {
    const RowTerms terms = rowTerms(to->x + r * to->ldx, inputs);
    uint8_t *row = to->y + r * to->ldy;
    UNROLL
    for (size_t j = 0; j < PanelColumns; j += LANES) {
      if (j >= to->columns) break;
      const size_t n = to->columns - j;
      vec v = total(bload(sums + r * PanelColumns + j), terms, to->panel, inputs, j,
                    loadUpTo(bias + j, n));
      if (kind != ActivationNone) v = activated(kind, v, gate);
      if (givesValues) {
        storeValues((Value *)row + j, v, n);
      } else {
        if (to->residual) v += loadUpTo(to->residual + r * to->ldResidual + j, n);
        storeUpTo((float *)row + j, v, n);
      }
    }
  }
}

INLINE void finishKind(const bool givesValues, const TileResult *to, const uint32_t *sums) {
#define FINISH(KIND) finishRows(KIND, givesValues, to, sums)
  WITH_KIND(to->layer->activation->kind, FINISH)
#undef FINISH
}

static void finish(const TileResult *to, const uint32_t *sums) {
  if (to->layer->givesValues) {
    finishKind(true, to, sums);
  } else {
    finishKind(false, to, sums);
  }
}

#ifdef WIDENED_PRODUCT
#include "widenedProduct.h"
#elif !defined(OWN_PRODUCT)
static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *x, size_t ldx, const float *residual, size_t ldResidual, void *y,
                    size_t ldy) {
  const size_t count = tileCount(rows), bytes = summedSize(layer->inputs);
  const size_t panelBytes = panelSize(layer->inputs);
  _Alignas(64) uint32_t sums[TILE_ROWS * PanelColumns];
  for (size_t p = firstPanel; p < endPanel; p++) {
    for (size_t t = 0; t < count; t++) {
      const size_t start = rows * t / count, height = rows * (t + 1) / count - start;
      const TileResult to =
          tileResult(layer, p, start, height, x, ldx, residual, ldResidual, y, ldy);
      const size_t step = p + 1 < endPanel ? fetchStep(PanelColumns * 4, count, t) : 0;
      const Ahead ahead = {
          .from = to.panel + panelBytes + fetchedGroups(bytes) * t * step,
          .step = step,
          .isStreamed = rows <= StreamedRows,
      };
      for (size_t r = 0; r < height; r++) __builtin_prefetch(to.y + r * ldy, 1);
      productTiles[height](bytes, to.x, ldx, (const uint32_t *)to.panel, ahead, sums,
                           PanelColumns);
      finish(&to, sums);
    }
  }
}
#endif
