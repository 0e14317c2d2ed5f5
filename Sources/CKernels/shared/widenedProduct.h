// The loops around widened.h's tiles, in the place of groupProduct.h's.

#pragma once

#if __INCLUDE_LEVEL__ == 0  // see alone.h
#include "bfloat16.h"
#endif

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *x, size_t ldx, const float *residual, size_t ldResidual, void *y,
                    size_t ldy) {
  const size_t groups = summedSize(layer->inputs) / WideGroup;
  const size_t pieces = (groups + MostGroups - 1) / MostGroups;
  const size_t panelBytes = panelSize(layer->inputs);
  _Alignas(64) uint32_t wide[MostGroups * 2 * PanelColumns];
  _Alignas(64) uint32_t sums[MostRows / TILE_ROWS][TILE_ROWS * PanelColumns];
  for (size_t firstRow = 0; firstRow < rows; firstRow += MostRows) {
    const size_t someRows = least(MostRows, rows - firstRow);
    const size_t count = (someRows + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t p = firstPanel; p < endPanel; p++) {
      const uint8_t *panel = (const uint8_t *)layer->weights + p * panelBytes;
      for (size_t piece = 0; piece < pieces; piece++) {
        const size_t begin = groups * piece / pieces, end = groups * (piece + 1) / pieces;
        const uint8_t *packed = panel + begin * PackedGroup;
        const bool isLast = piece + 1 == pieces, fetchesNext = !isLast || p + 1 < endPanel;
        const uint8_t *next = isLast ? panel + panelBytes : panel + end * PackedGroup;
        for (size_t t = 0; t < count; t++) {
          const size_t start = someRows * t / count;
          const size_t height = someRows * (t + 1) / count - start, row = firstRow + start;
          const TileResult to =
              tileResult(layer, p, row, height, x, ldx, residual, ldResidual, y, ldy);
          const size_t step = fetchesNext ? fetchStep(PackedGroup, count, t) : 0;
          const uint8_t *ahead = next + (end - begin) * t * step;
          uint32_t *kept = sums[pieces > 1 ? t : 0];
          if (isLast) {
            for (size_t r = 0; r < height; r++) __builtin_prefetch(to.y + r * ldy, 1);
          }
          WideTile *const *tiles = t > 0 ? wideTiles : count > 1 ? packedTiles : loneTiles;
          tiles[height](end - begin, to.x + begin * WideGroup, ldx, packed, wide, ahead, step,
                        piece == 0, kept, PanelColumns);
          if (isLast) finish(&to, kept);
        }
      }
    }
  }
}
