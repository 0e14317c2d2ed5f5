// Linear layers: packing, the register tile, and the loops around it.

static size_t panelSize(size_t inputs) { return PanelColumns * inputs * sizeof(float); }

static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, void *packed) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    const size_t first = p * PanelColumns;
    packPanel(least(PanelColumns, outputs - first), inputs, weights + first * inputs, inputs,
              (float *)packed + first * inputs);
  }
}

// What becomes of a tile's sums before they are stored: sum · factor + bias + residual, where
// there are any.
typedef struct Finish {
  // One per row.
  const float *factors;
  const float *bias;
  const float *residual;
  size_t ldResidual;
} Finish;

INLINE void storeTile(const size_t rows, size_t columns, vec sums[TILE_ROWS][2],
                      const Finish *finish, float *y, size_t ldy) {
  UNROLL
  for (size_t half = 0; half < 2; half++) {
    const size_t j = half * LANES, n = columns - j;
    if (j >= columns) break;
    if (finish->factors) {
      UNROLL
      for (size_t r = 0; r < rows; r++) sums[r][half] *= vset(finish->factors[r]);
    }
    if (finish->bias) {
      const vec bias = loadUpTo(finish->bias + j, n);
      UNROLL
      for (size_t r = 0; r < rows; r++) sums[r][half] += bias;
    }
    if (finish->residual) {
      UNROLL
      for (size_t r = 0; r < rows; r++) {
        sums[r][half] += loadUpTo(finish->residual + r * finish->ldResidual + j, n);
      }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++) storeUpTo(y + r * ldy + j, sums[r][half], n);
  }
}

#ifndef OWN_TERMS
// Adds the terms [start, end) of x · panel to a tile's sums, in the order of k.
INLINE void addTerms(const size_t rows, size_t start, size_t end, const float *x, size_t ldx,
                     const float *panel, vec sums[TILE_ROWS][2]) {
  for (size_t k = start; k < end; k++) {
    const vec left = vload(panel + k * PanelColumns);
    const vec right = vload(panel + k * PanelColumns + LANES);
    UNROLL
    for (size_t r = 0; r < rows; r++) {
      const vec value = vset(x[r * ldx + k]);
      sums[r][0] = vfma(value, left, sums[r][0]);
      sums[r][1] = vfma(value, right, sums[r][1]);
    }
  }
}
#endif

// One tile of y, [rows, columns ≤ PanelColumns] = x · panel, and what finishes it.
//
// `rows` is a constant at each use, so the accumulators are registers. Terms are added in the
// order of k, at most PartialSumLength at a time; the total is kept in memory in between.
INLINE void tile(const size_t rows, size_t inputs, size_t columns, const float *x, size_t ldx,
                 const float *panel, const Finish *finish, float *y, size_t ldy) {
  vec total[TILE_ROWS][2];
  vec sums[TILE_ROWS][2];
  for (size_t start = 0;;) {
    const size_t end = least(inputs, start + PartialSumLength);
    UNROLL
    for (size_t r = 0; r < rows; r++) sums[r][0] = sums[r][1] = vset(0);
    addTerms(rows, start, end, x, ldx, panel, sums);
    if (start > 0) {
      UNROLL
      for (size_t r = 0; r < rows; r++) {
        sums[r][0] += total[r][0];
        sums[r][1] += total[r][1];
      }
    }
    start = end;
    if (start == inputs) break;
    for (size_t r = 0; r < rows; r++) {
      total[r][0] = sums[r][0];
      total[r][1] = sums[r][1];
    }
  }
  if (columns == PanelColumns) {
    storeTile(rows, PanelColumns, sums, finish, y, ldy);
  } else {
    storeTile(rows, columns, sums, finish, y, ldy);
  }
}

typedef void Tile(size_t inputs, size_t columns, const float *x, size_t ldx, const float *panel,
                  const Finish *finish, float *y, size_t ldy);

#define TILE(ROWS)                                                                               \
  static __attribute__((noinline)) void tile##ROWS(                                              \
      size_t inputs, size_t columns, const float *x, size_t ldx, const float *panel,             \
      const Finish *finish, float *y, size_t ldy) {                                              \
    tile(ROWS, inputs, columns, x, ldx, panel, finish, y, ldy);                                  \
  }
TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if TILE_ROWS == 6
static Tile *const tiles[] = {0, tile1, tile2, tile3, tile4, tile5, tile6};
#else
TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#if TILE_ROWS == 12
static Tile *const tiles[] = {0,     tile1, tile2, tile3,  tile4,  tile5, tile6,
                              tile7, tile8, tile9, tile10, tile11, tile12};
#else
TILE(13) TILE(14)
static Tile *const tiles[] = {0,     tile1, tile2, tile3,  tile4,  tile5,  tile6, tile7,
                              tile8, tile9, tile10, tile11, tile12, tile13, tile14};
#endif
#endif
#undef TILE
_Static_assert(sizeof tiles / sizeof *tiles == TILE_ROWS + 1, "a tile for every height");

INLINE void activateRows(ActivationKind kind, const float *table, size_t rows, size_t columns,
                         float *y, size_t ldy) {
  // A copy that y cannot overlap: it stays in registers.
  float gate[(GATE_DEGREE + 1) * GATE_PIECES];
  if (table) memcpy(gate, table, sizeof gate);
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
  switch (activation->kind) {
    case ActivationNone: return;
    case ActivationReLU: return activateRows(ActivationReLU, NULL, rows, columns, y, ldy);
    case ActivationTanh: return activateRows(ActivationTanh, NULL, rows, columns, y, ldy);
    case ActivationGELUErf:
    case ActivationGELUTanh:
      return activateRows(ActivationGELUErf, activation->gate, rows, columns, y, ldy);
  }
}

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const void *operands, size_t bytesX, const float *residual,
                    size_t ldResidual, void *results, size_t bytesY) {
  const float *x = operands, *weights = layer->weights;
  float *y = results;
  const size_t ldx = bytesX / sizeof(float), ldy = bytesY / sizeof(float);
  const size_t count = tileCount(rows);
  for (size_t p = firstPanel; p < endPanel; p++) {
    const size_t first = p * PanelColumns;
    const size_t columns = least(PanelColumns, layer->outputs - first);
    for (size_t t = 0; t < count; t++) {
      const size_t start = rows * t / count, height = rows * (t + 1) / count - start;
      float *place = y + start * ldy + first;
      const Finish finish = {
          .bias = layer->bias + first,
          .residual = residual ? residual + start * ldResidual + first : NULL,
          .ldResidual = ldResidual,
      };
      tiles[height](layer->inputs, columns, x + start * ldx, ldx,
                    weights + first * layer->inputs, &finish, place, ldy);
      activate(layer->activation, height, columns, place, ldy);
    }
  }
}
