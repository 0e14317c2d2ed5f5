// Plain C: the oracle of the other sets, and what runs where there is none. Written for clarity;
// the loops over a panel's columns are left for the compiler to turn into vectors.
//
// A precision's source file defines Value, widened(value), narrowed(float) and
// makeOperandRow(columns, row, operands), and includes this.

#pragma once

#if __INCLUDE_LEVEL__ == 0  // read alone, by an editor
#include "bfloat16.h"
#endif

static void makeOperandRow(size_t columns, const float *row, void *operands);

static bool isSupported(void) { return true; }

static void prepareActivation(ActivationKind kind, Activation *activation) {
  activation->kind = kind;
}

// The activation of a sum, and the residual on it.
static inline void storeResult(const LinearLayer *layer, const float *residual, size_t ldResidual,
                               size_t row, size_t column, float sum, void *y, size_t ldy) {
  if (residual) sum += residual[row * ldResidual + column];
  sum = plainActivation(layer->activation->kind, sum);
  uint8_t *to = (uint8_t *)y + row * ldy;
  if (layer->givesValues) {
    ((Value *)to)[column] = narrowed(sum);
  } else {
    ((float *)to)[column] = sum;
  }
}

static size_t attentionScratch(size_t keyCount, size_t headSize, size_t relativeCount) {
  (void)headSize;
  (void)relativeCount;
  return keyCount;
}

static float dotValues(size_t size, const Value *x, const Value *y) {
  float sum = 0;
  for (size_t d = 0; d < size; d++) sum += widened(x[d]) * widened(y[d]);
  return sum;
}

// The terms of disentangled attention for one query and key of a head.
static float relativeScore(const AttentionInput *input, size_t head, ptrdiff_t distance,
                           const Value *query, const Value *key) {
  const RelativeInput *relative = &input->relative;
  if (!relative->rowOfDistance) return 0;
  const size_t size = input->headSize;
  const size_t offset = (size_t)relative->rowOfDistance[distance] * relative->ld;
  float score = 0;
  if (relative->keys) {
    const uint8_t *row = (const uint8_t *)relative->keys + offset;
    score += dotValues(size, query, (const Value *)row + head * size);
  }
  if (relative->queries) {
    const uint8_t *row = (const uint8_t *)relative->queries + offset;
    score += dotValues(size, key, (const Value *)row + head * size);
  }
  return score;
}

static void attention(const AttentionInput *input, void *y, size_t ldy, float *scratch) {
  const uint8_t *queries = input->queries, *keys = input->keys, *values = input->values;
  const size_t size = input->headSize;
  for (size_t i = 0; i < input->queryCount; i++) {
    for (size_t head = 0; head < input->headCount; head++) {
      const Value *query = (const Value *)(queries + i * input->ldQueries) + head * size;
      float largest = -INFINITY;
      size_t firstKey = 0, endKey = input->keyCount;
      if (input->window > 0) {
        if (i + 1 > input->window) firstKey = i + 1 - input->window;
        if (endKey > i + input->window) endKey = i + input->window;
      }
      for (size_t k = firstKey; k < endKey; k++) {
        const Value *key = (const Value *)(keys + k * input->ldKeys) + head * size;
        const ptrdiff_t distance = (ptrdiff_t)k - (ptrdiff_t)i;
        const float score =
            dotValues(size, query, key) + relativeScore(input, head, distance, query, key);
        scratch[k] = score * input->scale;
        if (input->bias) {
          scratch[k] += input->bias[(ptrdiff_t)(head * input->ldBias) + distance];
        }
        if (!(scratch[k] <= largest)) largest = scratch[k];
      }
      float sum = 0;
      for (size_t k = firstKey; k < endKey; k++) {
        scratch[k] = expf(scratch[k] - largest);
        sum += scratch[k];
      }
      Value *row = (Value *)((uint8_t *)y + i * ldy) + head * size;
      for (size_t d = 0; d < size; d++) {
        float mean = 0;
        for (size_t k = firstKey; k < endKey; k++) {
          const Value *value = (const Value *)(values + k * input->ldKeys) + head * size;
          mean += scratch[k] / sum * widened(value[d]);
        }
        row[d] = narrowed(mean);
      }
    }
  }
}

static void normalizeRow(const LayerNorm *norm, const float *x, float *y) {
  const size_t columns = norm->columns;
  double mean = 0, variance = 0;
  for (size_t j = 0; j < columns && !norm->isRootMeanSquare; j++) mean += (double)x[j];
  mean /= (double)columns;
  for (size_t j = 0; j < columns; j++) {
    variance += ((double)x[j] - mean) * ((double)x[j] - mean);
  }
  const double factor = 1 / sqrt(variance / (double)columns + (double)norm->epsilon);
  for (size_t j = 0; j < columns; j++) {
    const float normalized = (float)(((double)x[j] - mean) * factor);
    y[j] = normalized * norm->scale[j] + norm->shift[j];
  }
}

static void layerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx, float *y,
                      size_t ldy, void *operands, size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    normalizeRow(norm, x + r * ldx, y + r * ldy);
    makeOperandRow(norm->columns, y + r * ldy, (uint8_t *)operands + r * ldOperands);
  }
}

static void normalizeValues(const LayerNorm *norm, size_t rows, void *x, size_t ldx,
                            float *scratch) {
  for (size_t r = 0; r < rows; r++) {
    Value *row = (Value *)((uint8_t *)x + r * ldx);
    for (size_t j = 0; j < norm->columns; j++) scratch[j] = widened(row[j]);
    normalizeRow(norm, scratch, scratch);
    for (size_t j = 0; j < norm->columns; j++) row[j] = narrowed(scratch[j]);
  }
}

static void makeFloatOperands(size_t rows, size_t columns, const float *x, size_t ldx,
                              void *operands, size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    makeOperandRow(columns, x + r * ldx, (uint8_t *)operands + r * ldOperands);
  }
}

static void embed(const EmbeddingInput *input, const LayerNorm *norm, size_t columns, size_t rows,
                  float *y, size_t ldy, void *operands, size_t ldOperands) {
  for (size_t r = 0; r < rows; r++) {
    const float *word = input->wordTable + (size_t)input->ids[r] * columns;
    const float *position = input->positionTable;
    if (position) position += (size_t)input->positions[r] * columns;
    const float *type = input->typeTable + (size_t)input->types[r] * columns;
    float *row = y + r * ldy;
    uint8_t *operandRow = (uint8_t *)operands + r * ldOperands;
    for (size_t j = 0; j < columns; j++) {
      row[j] = word[j] + type[j];
      if (position) row[j] += position[j];
    }
    if (norm) {
      layerNorm(norm, 1, row, ldy, row, ldy, operandRow, ldOperands);
    } else {
      makeOperandRow(columns, row, operandRow);
    }
  }
}

static void applyRotary(const RotaryPositions *positions, size_t rows, size_t headCount,
                        size_t headSize, void *x, size_t ldx) {
  const size_t half = positions->size / 2;
  for (size_t r = 0; r < rows; r++) {
    const float *cosines = positions->table + r * positions->size, *sines = cosines + half;
    for (size_t head = 0; head < headCount; head++) {
      Value *row = (Value *)((uint8_t *)x + r * ldx) + head * headSize;
      for (size_t j = 0; j < half; j++) {
        const float a = widened(row[j]), b = widened(row[half + j]);
        row[j] = narrowed(a * cosines[j] - b * sines[j]);
        row[half + j] = narrowed(b * cosines[j] + a * sines[j]);
      }
    }
  }
}

static void multiply(size_t rows, size_t columns, void *x, size_t ldx, const void *y, size_t ldy) {
  for (size_t r = 0; r < rows; r++) {
    Value *row = (Value *)((uint8_t *)x + r * ldx);
    const Value *by = (const Value *)((const uint8_t *)y + r * ldy);
    for (size_t j = 0; j < columns; j++) row[j] = narrowed(widened(row[j]) * widened(by[j]));
  }
}

enum { PeakChains = 8 };

static void peak(size_t steps) {
  float sums[PeakChains] = {0, 1, 2, 3, 4, 5, 6, 7};
  for (size_t step = 0; step < steps; step++) {
    for (int i = 0; i < PeakChains; i++) sums[i] = sums[i] * 0.999f + 1e-3f;
  }
  float total = 0;
  for (int i = 0; i < PeakChains; i++) total += sums[i];
  volatile float sink = total;
  (void)sink;
}

#define SCALAR_KERNEL_SET(PRECISION, MAKE_OPERANDS) \
  {                                                 \
      .name = "scalar",                             \
      .precision = PRECISION,                       \
      .isSupported = isSupported,                   \
      .tileRows = TileRows,                         \
      .panelColumns = PanelColumns,                 \
      .panelSize = panelSize,                       \
      .valueSize = sizeof(Value),                   \
      .operandSize = operandSize,                   \
      .prepareActivation = prepareActivation,       \
      .pack = pack,                                 \
      .product = product,                           \
      .makeOperands = MAKE_OPERANDS,                \
      .makeFloatOperands = makeFloatOperands,       \
      .attention = attention,                       \
      .attentionScratch = attentionScratch,         \
      .applyRotary = applyRotary,                   \
      .multiply = multiply,                         \
      .layerNorm = layerNorm,                       \
      .normalizeValues = normalizeValues,           \
      .embed = embed,                               \
      .peak = peak,                                 \
      .peakOperations = 2 * PeakChains,             \
  }
