// AMX: eight tiles of up to 16 rows of 64 bytes. Tests have a software version of the instructions, and
// define EMULATED_TILES.
//
// Source: Intel SDM volume 2, LDTILECFG, TILELOADD, TILESTORED, TDPBF16PS, TDPBUSD.

#pragma once

#include <stdint.h>
#include <string.h>

enum { TileHeight = 16, TileBytes = 64, TileCount = 8 };

// What LDTILECFG reads.
typedef struct TileShapes {
  uint8_t palette, startRow, reserved[14];
  uint16_t rowBytes[16];
  uint8_t rows[16];
} TileShapes;
_Static_assert(sizeof(TileShapes) == 64, "as the CPU reads it");

#ifndef EMULATED_TILES

#define tileShapes(SHAPES) _tile_loadconfig(SHAPES)
#define tileRelease() _tile_release()
#define tileZero(TILE) _tile_zero(TILE)
#define tileLoad(TILE, FROM, STRIDE) _tile_loadd(TILE, FROM, STRIDE)
#define tileStore(TILE, TO, STRIDE) _tile_stored(TILE, TO, STRIDE)
#define tileDotPairs(SUMS, X, W) _tile_dpbf16ps(SUMS, X, W)
#define tileDotBytes(SUMS, X, W) _tile_dpbusd(SUMS, X, W)

#endif
