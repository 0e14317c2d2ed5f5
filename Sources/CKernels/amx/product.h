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
#define TILE_DOT tileDotPairs
#include "../avx512/vector.h"
#include "../avx512/groups.h"
#include "../shared/bfloat16.h"
#endif

// The tiles: sums of the first 16 rows and the second by the halves of a panel; x; the halves.
enum {
  FirstLeft, FirstRight, SecondLeft, SecondRight,
  FirstRows, SecondRows,
  LeftHalf, RightHalf,
};
enum { ProductRows = 2 * TileHeight, PanelRowBytes = PanelColumns * 4 };
_Static_assert(PanelRowBytes == 2 * TileBytes, "a tile for half a panel");

#define PRODUCT_ROWS ProductRows
#define STEP_BYTES TileBytes
#define STEP_ROWS ProductRows
#include "../shared/rest.h"

// Of so many rows, at most ProductRows.
INLINE void shapeTiles(size_t rows) {
  const uint8_t first = (uint8_t)least(rows, TileHeight);
  // A tile has at least one row: without second rows it multiplies the first row again.
  const uint8_t second = rows > TileHeight ? (uint8_t)(rows - TileHeight) : 1;
  TileShapes shapes = {
      .palette = 1,
      .rows = {first, first, second, second, first, second, TileHeight, TileHeight},
  };
  for (int tile = 0; tile < TileCount; tile++) shapes.rowBytes[tile] = TileBytes;
  tileShapes(&shapes);
}

INLINE void zeroSums(void) {
  tileZero(FirstLeft);
  tileZero(FirstRight);
  tileZero(SecondLeft);
  tileZero(SecondRight);
}

// Adds the products of TileBytes of rows and so many bytes of a panel's columns.
INLINE void multiplyStep(const uint8_t *x, const uint8_t *second, size_t ldx,
                         const uint8_t *panel) {
  tileLoad(LeftHalf, panel, PanelRowBytes);
  tileLoad(RightHalf, panel + TileBytes, PanelRowBytes);
  tileLoad(FirstRows, x, ldx);
  TILE_DOT(FirstLeft, FirstRows, LeftHalf);
  TILE_DOT(FirstRight, FirstRows, RightHalf);
  tileLoad(SecondRows, second, ldx);
  TILE_DOT(SecondLeft, SecondRows, LeftHalf);
  TILE_DOT(SecondRight, SecondRows, RightHalf);
}

// The sums of the rows that tiles are shaped for and a panel, [ProductRows, PanelColumns].
INLINE void multiplyTiles(size_t rows, size_t bytes, const uint8_t *x, size_t ldx,
                          const uint8_t *panel, uint32_t *sums) {
  zeroSums();
  const bool hasSecond = rows > TileHeight;
  for (size_t steps = bytes / TileBytes; steps > 0; steps--) {
    multiplyStep(x, hasSecond ? x + TileHeight * ldx : x, ldx, panel);
    x += TileBytes;
    panel += TileHeight * PanelRowBytes;
  }
  if (bytes % TileBytes > 0) {
    Rest rest;
    copyRest(rows, bytes % TileBytes, x, ldx, panel, &rest);
    multiplyStep(rest.rows, rest.rows + TileHeight * TileBytes, TileBytes,
                 (const uint8_t *)rest.panel);
  }
  uint32_t *second = sums + TileHeight * PanelColumns;
  tileStore(FirstLeft, sums, PanelRowBytes);
  tileStore(FirstRight, sums + PanelColumns / 2, PanelRowBytes);
  tileStore(SecondLeft, second, PanelRowBytes);
  tileStore(SecondRight, second + PanelColumns / 2, PanelRowBytes);
}

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *x, size_t ldx, const float *residual, size_t ldResidual, void *y,
                    size_t ldy) {
  const size_t bytes = summedSize(layer->inputs);
  _Alignas(64) uint32_t sums[ProductRows * PanelColumns];
  // Whole tiles first, so that tiles are shaped twice at most.
  const size_t wholeRows = rows / ProductRows * ProductRows;
  for (size_t begin = 0; begin < rows; begin = begin < wholeRows ? wholeRows : rows) {
    const size_t end = begin < wholeRows ? wholeRows : rows;
    const size_t height = least(ProductRows, end - begin);
    shapeTiles(height);
    for (size_t p = firstPanel; p < endPanel; p++) {
      for (size_t row = begin; row < end; row += height) {
        const TileResult to =
            tileResult(layer, p, row, height, x, ldx, residual, ldResidual, y, ldy);
        multiplyTiles(height, bytes, to.x, ldx, to.panel, sums);
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
  zeroSums();
  tileLoad(FirstRows, zeros, TileBytes);
  tileLoad(SecondRows, zeros, TileBytes);
  tileLoad(LeftHalf, zeros, TileBytes);
  tileLoad(RightHalf, zeros, TileBytes);
  for (size_t step = 0; step < steps; step++) {
    TILE_DOT(FirstLeft, FirstRows, LeftHalf);
    TILE_DOT(FirstRight, FirstRows, RightHalf);
    TILE_DOT(SecondLeft, SecondRows, LeftHalf);
    TILE_DOT(SecondRight, SecondRows, RightHalf);
  }
  tileRelease();
}
