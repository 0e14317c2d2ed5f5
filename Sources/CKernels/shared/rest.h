// What is left of rows and a panel after the last whole step, filled up with zeros to a whole one. Define
// STEP_BYTES, bytes of a row in a step, and STEP_ROWS, the most rows of a tile, before including it.

#pragma once

#ifndef STEP_BYTES  // read alone, by an editor
#define STEP_BYTES 8
#define STEP_ROWS TILE_ROWS
#endif

#include "panel.h"

typedef struct Rest {
  _Alignas(64) uint8_t rows[STEP_ROWS * STEP_BYTES];
  uint32_t panel[STEP_BYTES / 4 * PanelColumns];
} Rest;

// Not inlined: its calls would cost the loop before it registers.
static __attribute__((noinline)) void copyRest(size_t rows, size_t bytes, const uint8_t *x,
                                               size_t ldx, const void *panel, Rest *rest) {
  *rest = (Rest){0};
  for (size_t r = 0; r < rows; r++) memcpy(rest->rows + r * STEP_BYTES, x + r * ldx, bytes);
  memcpy(rest->panel, panel, (bytes + 3) / 4 * PanelColumns * sizeof *rest->panel);
}
