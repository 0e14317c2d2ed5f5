/// AMX's instructions as a software version of their definition, but for denormal floats, which TDPBF16PS takes
/// as zeros. The guard also tells amx/tiles.h to leave the instructions out.
#ifndef EMULATED_TILES
#define EMULATED_TILES

#include <stdbool.h>

#include "../../Sources/CKernels/amx/tiles.h"

static struct EmulatedTiles {
  TileShapes shapes;
  uint8_t bytes[TileCount][TileHeight][TileBytes];
} tiles;

// The CPU stops the program where this is false.
static void tileRequire(bool holds) {
  if (!holds) __builtin_trap();
}

static void tileShapes(const TileShapes *shapes) {
  tileRequire(shapes->palette == 1 && shapes->startRow == 0);
  for (size_t i = 0; i < sizeof shapes->reserved; i++) tileRequire(shapes->reserved[i] == 0);
  for (int i = 0; i < 16; i++) {
    tileRequire(i < TileCount ? shapes->rows[i] <= TileHeight && shapes->rowBytes[i] <= TileBytes
                              : shapes->rows[i] == 0 && shapes->rowBytes[i] == 0);
    tileRequire((shapes->rows[i] == 0) == (shapes->rowBytes[i] == 0));
  }
  memset(&tiles, 0, sizeof tiles);
  tiles.shapes = *shapes;
}

static void tileRelease(void) { memset(&tiles, 0, sizeof tiles); }

static void tileZero(int tile) {
  tileRequire(tiles.shapes.rows[tile] > 0);
  memset(tiles.bytes[tile], 0, sizeof tiles.bytes[tile]);
}

static void tileLoad(int tile, const void *from, size_t stride) {
  tileZero(tile);
  for (int r = 0; r < tiles.shapes.rows[tile]; r++) {
    memcpy(tiles.bytes[tile][r], (const uint8_t *)from + (size_t)r * stride,
           tiles.shapes.rowBytes[tile]);
  }
}

static void tileStore(int tile, void *to, size_t stride) {
  tileRequire(tiles.shapes.rows[tile] > 0);
  for (int r = 0; r < tiles.shapes.rows[tile]; r++) {
    memcpy((uint8_t *)to + (size_t)r * stride, tiles.bytes[tile][r], tiles.shapes.rowBytes[tile]);
  }
}

static void tileRequireProduct(int sums, int x, int w) {
  tileRequire(sums != x && sums != w && x != w);
  tileRequire(tiles.shapes.rows[sums] == tiles.shapes.rows[x] && tiles.shapes.rows[sums] > 0);
  tileRequire(tiles.shapes.rowBytes[sums] == tiles.shapes.rowBytes[w]);
  tileRequire(tiles.shapes.rowBytes[x] == 4 * tiles.shapes.rows[w]);
}

__attribute__((unused)) static void tileDotPairs(int sums, int x, int w) {
  tileRequireProduct(sums, x, w);
  for (int r = 0; r < tiles.shapes.rows[sums]; r++) {
    for (int c = 0; c < tiles.shapes.rowBytes[sums] / 4; c++) {
      float odd = 0, even = 0, before;
      for (int k = 0; k < tiles.shapes.rows[w]; k++) {
        uint32_t a, b;
        memcpy(&a, tiles.bytes[x][r] + 4 * k, 4);
        memcpy(&b, tiles.bytes[w][k] + 4 * c, 4);
        const uint32_t parts[] = {a << 16, b << 16, a & 0xffff0000, b & 0xffff0000};
        float values[4];
        memcpy(values, parts, sizeof values);
        even = __builtin_fmaf(values[0], values[1], even);
        odd = __builtin_fmaf(values[2], values[3], odd);
      }
      memcpy(&before, tiles.bytes[sums][r] + 4 * c, 4);
      before += even + odd;
      memcpy(tiles.bytes[sums][r] + 4 * c, &before, 4);
    }
  }
}

__attribute__((unused)) static void tileDotBytes(int sums, int x, int w) {
  tileRequireProduct(sums, x, w);
  for (int r = 0; r < tiles.shapes.rows[sums]; r++) {
    for (int c = 0; c < tiles.shapes.rowBytes[sums] / 4; c++) {
      int32_t sum;
      memcpy(&sum, tiles.bytes[sums][r] + 4 * c, 4);
      for (int k = 0; k < tiles.shapes.rows[w]; k++) {
        for (int i = 0; i < 4; i++) {
          sum += tiles.bytes[x][r][4 * k + i] * (int8_t)tiles.bytes[w][k][4 * c + i];
        }
      }
      memcpy(tiles.bytes[sums][r] + 4 * c, &sum, 4);
    }
  }
}

#endif
