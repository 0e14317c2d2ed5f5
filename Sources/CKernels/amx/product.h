// Products by tiles of AMX, in the place of ../shared/groupProduct.h's. The source file says which
// multiply-add: TILE_DOT, one of tiles.h.
//
// Two tiles of 16 rows of x by the two halves of a panel, 16 columns each: four tiles of sums. The
// panel is what TDPBF16PS and TDPBUSD read already, groups of four bytes of 32 columns.

#pragma once

#include "tiles.h"

#ifndef TILE_DOT  // read alone, by an editor
#define HAS_BF16 1
#define HAS_VNNI 1
#define OWN_PRODUCT
#define PRODUCT_ROWS 32
#define TILE_DOT tileDotPairs
#include "../avx512/vector.h"
#include "../avx512/groups.h"
#include "../shared/bfloat16.h"
#endif

// Tiles: sums of the first rows and of the second, each of both halves; then x; then weights.
enum { Sums = 0, Rows = 4, Halves = 6 };
enum {
  ProductRows = 2 * TileHeight,
  HalfBytes = PanelColumns / 2 * 4,
  PanelRowBytes = PanelColumns * 4,
};
_Static_assert(HalfBytes == TileBytes, "a tile for half a panel");
_Static_assert(ProductRows == PRODUCT_ROWS, "two tiles of rows");

// Of so many rows, at most ProductRows.
INLINE void shapeTiles(size_t rows) {
  TileShapes shapes = {.palette = 1};
  const size_t heights[] = {least(rows, TileHeight), rows > TileHeight ? rows - TileHeight : 0};
  for (int i = 0; i < 2; i++) {
    // An x without rows keeps one: the same instructions run for all numbers of rows.
    const uint8_t height = heights[i] > 0 ? (uint8_t)heights[i] : 1;
    for (int tile = 0; tile < 3; tile++) {
      const int place = tile < 2 ? Sums + 2 * i + tile : Rows + i;
      shapes.rows[place] = height;
      shapes.rowBytes[place] = TileBytes;
    }
    shapes.rows[Halves + i] = TileHeight;
    shapes.rowBytes[Halves + i] = TileBytes;
  }
  tileShapes(&shapes);
}

// Adds the products of TileBytes of rows and so many bytes of a panel's columns.
INLINE void multiplyStep(const uint8_t *x, const uint8_t *second, size_t ldx, const uint8_t *panel) {
  tileLoad(6, panel, PanelRowBytes);
  tileLoad(7, panel + HalfBytes, PanelRowBytes);
  tileLoad(4, x, ldx);
  TILE_DOT(0, 4, 6);
  TILE_DOT(1, 4, 7);
  tileLoad(5, second, ldx);
  TILE_DOT(2, 5, 6);
  TILE_DOT(3, 5, 7);
}

// What is left of rows and a panel after the last whole step, filled up with zeros.
typedef struct Rest {
  _Alignas(64) uint8_t rows[ProductRows * TileBytes];
  uint8_t panel[TileHeight * PanelRowBytes];
} Rest;

static __attribute__((noinline)) void copyRest(size_t rows, size_t bytes, const uint8_t *x, size_t ldx,
                                               const uint8_t *panel, Rest *rest) {
  *rest = (Rest){0};
  for (size_t r = 0; r < rows; r++) memcpy(rest->rows + r * TileBytes, x + r * ldx, bytes);
  memcpy(rest->panel, panel, (bytes + 3) / 4 * PanelRowBytes);
}

// The sums of the rows that tiles are shaped for and a panel, [ProductRows, PanelColumns].
INLINE void multiplyTiles(size_t rows, size_t bytes, const uint8_t *x, size_t ldx,
                          const uint8_t *panel, uint32_t *sums) {
  tileZero(0);
  tileZero(1);
  tileZero(2);
  tileZero(3);
  const bool hasSecond = rows > TileHeight;
  for (size_t steps = bytes / TileBytes; steps > 0; steps--) {
    multiplyStep(x, hasSecond ? x + TileHeight * ldx : x, ldx, panel);
    x += TileBytes;
    panel += TileHeight * PanelRowBytes;
  }
  if (bytes % TileBytes > 0) {
    Rest rest;
    copyRest(rows, bytes % TileBytes, x, ldx, panel, &rest);
    multiplyStep(rest.rows, rest.rows + TileHeight * TileBytes, TileBytes, rest.panel);
  }
  tileStore(0, sums, PanelRowBytes);
  tileStore(1, sums + PanelColumns / 2, PanelRowBytes);
  tileStore(2, sums + TileHeight * PanelColumns, PanelRowBytes);
  tileStore(3, sums + TileHeight * PanelColumns + PanelColumns / 2, PanelRowBytes);
}

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *x, size_t ldx, const float *residual, size_t ldResidual, void *y,
                    size_t ldy) {
  const size_t bytes = summedSize(layer->inputs), panelBytes = panelSize(layer->inputs);
  const size_t resultSize = layer->givesValues ? ValueSize : sizeof(float);
  _Alignas(64) uint32_t sums[ProductRows * PanelColumns];
  // Whole tiles first: a shape costs more than a panel of few inputs.
  const size_t wholeRows = rows / ProductRows * ProductRows;
  for (size_t begin = 0; begin < rows; begin = begin < wholeRows ? wholeRows : rows) {
    const size_t end = begin < wholeRows ? wholeRows : rows;
    const size_t height = least(ProductRows, end - begin);
    shapeTiles(height);
    for (size_t p = firstPanel; p < endPanel; p++) {
      const size_t first = p * PanelColumns;
      const uint8_t *panel = (const uint8_t *)layer->weights + p * panelBytes;
      for (size_t row = begin; row < end; row += height) {
        const TileResult to = {
            .layer = layer,
            .x = (const uint8_t *)x + row * ldx,
            .ldx = ldx,
            .panel = panel,
            .first = first,
            .rows = height,
            .columns = least(PanelColumns, layer->outputs - first),
            .residual = residual ? residual + row * ldResidual + first : NULL,
            .ldResidual = ldResidual,
            .y = (uint8_t *)y + row * ldy + first * resultSize,
            .ldy = ldy,
        };
        multiplyTiles(height, bytes, to.x, ldx, panel, sums);
        finish(&to, sums);
      }
    }
  }
  // A thread with tiles in use has 8 KB more to save when another takes its place.
  tileRelease();
}

// Four multiply-adds of tiles, each of GroupSize numbers for every four bytes.
enum { PeakOperations = 4 * 2 * TileHeight * TileHeight * (TileBytes / 4) * GroupSize };

static void peak(size_t steps) {
  _Alignas(64) static const uint8_t zeros[TileHeight * TileBytes];
  shapeTiles(ProductRows);
  tileZero(0);
  tileZero(1);
  tileZero(2);
  tileZero(3);
  tileLoad(4, zeros, TileBytes);
  tileLoad(5, zeros, TileBytes);
  tileLoad(6, zeros, TileBytes);
  tileLoad(7, zeros, TileBytes);
  for (size_t step = 0; step < steps; step++) {
    TILE_DOT(0, 4, 6);
    TILE_DOT(1, 4, 7);
    TILE_DOT(2, 5, 6);
    TILE_DOT(3, 5, 7);
  }
  tileRelease();
}
