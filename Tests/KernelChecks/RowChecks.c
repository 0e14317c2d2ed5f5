#include <math.h>
#include <stdio.h>
#include <string.h>

#include "Checks.h"
#include "Memory.h"
#include "Values.h"

// Rows of values are whole words apart.
enum { Heads = 3, Gap = 5, RelativeCount = 20 };

static size_t valuesApart(size_t columns) { return (columns + Gap + 1) / 2 * 2; }

// The terms of `RelativeInput` that scores have.
typedef enum Terms { NoTerms = 0, ToKeys = 1, ToQueries = 2, BothTerms = 3 } Terms;

// The floats of values that are attended to, [queries, columns].
static const float *attend(const KernelSet *set, const AttentionInput *input) {
  const size_t columns = input->headCount * input->headSize, count = input->queryCount * columns;
  void *y = guardedBytes(count * set->valueSize, 0xff, After);
  float *scratch =
      guardedFloats(set->attentionScratch(input->keyCount, input->headSize,
                                          input->relative.rowOfDistance ? RelativeCount : 0),
                    NAN, After);
  set->attention(input, y, columns * set->valueSize, scratch);
  return floatsOf(set, count, y);
}

static const void *randomValues(const KernelSet *set, size_t count, float size) {
  return valuesOf(set, count, randomFloats(count, -size, size, After), After);
}

static void compareAttention(const KernelSet *set, size_t queries, size_t keys, size_t headSize,
                             bool hasBias, Terms terms, size_t window) {
  // From the key that is farthest before the last query to the one farthest behind the first.
  const size_t distances = queries - 1 + keys;
  const float *bias = hasBias ? randomFloats(Heads * distances, -4, 4, After) : NULL;
  const size_t columns = Heads * headSize, ld = valuesApart(columns), count = queries * columns;
  const size_t relativeCount = (RelativeCount - 1) * ld + columns;
  int32_t *rows = (int32_t *)guardedFloats(distances, 0, After);
  for (size_t i = 0; i < distances; i++) {
    rows[i] = (int32_t)((RelativeCount - 1) * (distances - 1 - i) / distances);
  }
  AttentionInput input = {
      // Neither the last row's gap nor a row that is not attended to may be read.
      .queries = randomValues(set, (queries - 1) * ld + columns, 3),
      .keys = randomValues(set, (keys - 1) * ld + columns, 3),
      .values = randomValues(set, (keys - 1) * ld + columns, 1),
      .ldQueries = ld * set->valueSize,
      .ldKeys = ld * set->valueSize,
      .queryCount = queries,
      .keyCount = keys,
      .headCount = Heads,
      .headSize = headSize,
      .scale = 1 / sqrtf((float)(terms ? 3 * headSize : headSize)),
      .bias = hasBias ? bias + queries - 1 : NULL,
      .ldBias = distances,
      .window = window,
  };
  if (terms) {
    input.relative = (RelativeInput){
        .keys = terms & ToKeys ? randomValues(set, relativeCount, 3) : NULL,
        .queries = terms & ToQueries ? randomValues(set, relativeCount, 3) : NULL,
        .ld = ld * set->valueSize,
        .rowOfDistance = rows + queries - 1,
    };
  }
  const float *y = attend(set, &input), *expected = attend(oracle, &input);
  char what[96];
  snprintf(what, sizeof what, "attention of %zu to %zu, heads of %zu, window %zu%s%s%s", queries, keys,
           headSize, window, hasBias ? ", with a bias" : "", terms & ToKeys ? ", c2p" : "",
           terms & ToQueries ? ", p2c" : "");
  // Scores up to 9 · √80 lose 1e-5 in float32, whoever adds them up. Numerators and results below 1 are
  // rounded to bfloat16, 2^-8 apart there, and may be rounded the other way.
  expectNear(what, count, y, expected, boundOf(set, 4e-5f, 0x1p-7f));
  if (window) {
    releaseFloats();
    return;
  }
  input.queries = (const uint8_t *)input.queries + (queries - 1) * input.ldQueries;
  input.queryCount = 1;
  input.bias = bias;
  if (terms) input.relative.rowOfDistance = rows;
  expectSame("the last query alone", columns, attend(set, &input), y + count - columns);
  releaseFloats();
}

// Scores fall by 100 or far more from key to key on both sides of one: e^-100 is below float's range, and
// e^100 above it. The largest is 0, or far from it.
static void attendToOne(const KernelSet *set, size_t chosen, float step, float largest) {
  enum { Keys = 17, Size = 16 };
  float *keys = guardedFloats(Keys * Size, 0, After);
  const float *ten = guardedFloats(Size, 10, After);
  for (int i = 0; i < Keys * Size; i++) {
    keys[i] = largest - step * fabsf((float)(i / Size) - (float)chosen);
  }
  const AttentionInput input = {
      .queries = valuesOf(set, Size, ten, After),
      .keys = valuesOf(set, Keys * Size, keys, After),
      .values = randomValues(set, Keys * Size, 1),
      .ldQueries = Size * set->valueSize,
      .ldKeys = Size * set->valueSize,
      .queryCount = 1,
      .keyCount = Keys,
      .headCount = 1,
      .headSize = Size,
      .scale = 0.25f,
  };
  const float *values = floatsOf(set, Keys * Size, input.values);
  expectNear("attention to one key", Size, attend(set, &input), values + chosen * Size, 1e-6f);
  releaseFloats();
}

void checkAttention(const KernelSet *set) {
  for (size_t key = 0; key < 17; key++) {
    attendToOne(set, key, 2.5f, 0);
    // Scaled scores of 64,000 and 66,560: from 2^16 on `numerators` subtracts the largest first.
    attendToOne(set, key, 16, 1600);
    attendToOne(set, key, 16, 1664);
    attendToOne(set, key, 1e8f, 2e9f);
    attendToOne(set, key, 1e15f, -3e16f);
  }
  static const size_t headSizes[] = {1, 5, 16, 20, 32, 48, 64, 80};
  for (size_t i = 0; i < sizeof headSizes / sizeof *headSizes; i++) {
    for (int bias = 0; bias < 2; bias++) {
      for (size_t queries = 1; queries <= set->tileRows + 1; queries += 3) {
        compareAttention(set, queries, 2 * set->panelColumns + 2 - queries, headSizes[i], bias,
                         NoTerms, 0);
      }
      compareAttention(set, 1, 1, headSizes[i], bias, NoTerms, 0);
      compareAttention(set, 40, 65, headSizes[i], bias, NoTerms, 0);
      for (Terms terms = ToKeys; terms <= BothTerms; terms++) {
        compareAttention(set, 40, 65, headSizes[i], bias, terms, 0);
      }
    }
  }
  for (size_t keys = 1; keys <= 2 * set->panelColumns + 1; keys++) {
    compareAttention(set, 2, keys, 8, false, NoTerms, 0);
    compareAttention(set, 2, keys, 8, false, BothTerms, 0);
    compareAttention(set, 2, keys, 8, true, NoTerms, 0);
    compareAttention(set, keys, keys, 8, true, NoTerms, 3);
  }
}

void checkElements(const KernelSet *set) {
  enum { Rows = 3 };
  for (size_t size = 2; size <= 80; size += 2) {
    const size_t columns = Heads * size, ld = valuesApart(columns), count = (Rows - 1) * ld + columns;
    const RotaryPositions positions = {.table = randomFloats(Rows * size, -1, 1, After),
                                       .size = size};
    const size_t bytes = ld * set->valueSize;
    const float *x = randomFloats(count, -3, 3, After);
    const void *by = randomValues(set, count, 3);
    void *y = valuesOf(set, count, x, After), *expected = valuesOf(set, count, x, Before);
    set->applyRotary(&positions, Rows, Heads, size, y, bytes);
    oracle->applyRotary(&positions, Rows, Heads, size, expected, bytes);
    char what[80];
    snprintf(what, sizeof what, "rotary positions of %zu columns", size);
    // A product and a sum are rounded once or twice, and values up to 6 to bfloat16.
    expectNear(what, count, floatsOf(set, count, y), floatsOf(set, count, expected),
               boundOf(set, 2e-6f, 0x1p-5f));
    memcpy(expected, y, count * set->valueSize);
    set->multiply(Rows, columns, y, bytes, by, bytes);
    oracle->multiply(Rows, columns, expected, bytes, by, bytes);
    expectSame("products of elements", count, floatsOf(set, count, y),
               floatsOf(set, count, expected));
    const LayerNorm norm = {.scale = randomFloats(columns, -1, 1, After),
                            .shift = randomFloats(columns, -1, 1, After),
                            .epsilon = 1e-3f,
                            .columns = columns,
                            .isRootMeanSquare = size % 4 == 0};
    float *scratch = guardedFloats(columns, NAN, After);
    y = valuesOf(set, count, x, After);
    expected = valuesOf(set, count, x, After);
    set->normalizeValues(&norm, Rows, y, bytes, scratch);
    oracle->normalizeValues(&norm, Rows, expected, bytes, scratch);
    expectNear("norms in place", count, floatsOf(set, count, y), floatsOf(set, count, expected),
               boundOf(set, 1e-5f, 0x1p-6f));
    releaseFloats();
  }
}

// Operands that were written beside floats are those that are made of the floats.
static void expectOperands(const KernelSet *set, size_t rows, size_t columns, const float *y,
                           size_t ldy, const void *operands) {
  if (set->precision == PrecisionFloat32) return;
  size_t ld;
  const void *made = operandsOf(set, rows, columns, y, ldy, Before, &ld);
  if (memcmp(made, operands, rows * ld) != 0) fail("operands of %zu columns", columns);
}

// Room for them; of float32 the floats themselves.
static void *roomForOperands(const KernelSet *set, size_t rows, size_t columns, float *y, size_t ldy,
                             size_t *ld) {
  *ld = set->precision == PrecisionFloat32 ? ldy * sizeof *y : set->operandSize(columns);
  return set->precision == PrecisionFloat32 ? y : guardedBytes(rows * *ld, 0xff, After);
}

void checkLayerNorm(const KernelSet *set) {
  enum { Rows = 3 };
  // Every remainder of the widest registers and of four of them, then BERT-small's width.
  for (size_t columns = 1; columns <= 384; columns = columns == 130 ? 384 : columns + 1) {
    const size_t ld = columns + Gap, count = (Rows - 1) * ld + columns;
    const LayerNorm norm = {
        .scale = randomFloats(columns, -1, 1, After),
        .shift = randomFloats(columns, -1, 1, After),
        .epsilon = 1e-3f,
        .columns = columns,
        .isRootMeanSquare = columns % 3 == 2,
    };
    // A mean far from 0 shows a variance that cancels.
    const float *x = randomFloats(count, 99, 101, After);
    float *y = guardedFloats(count, 5, After), *expected = guardedFloats(count, 5, After);
    size_t ldOwn, ldOracle;
    void *own = roomForOperands(set, Rows, columns, y, ld, &ldOwn);
    void *oracles = roomForOperands(oracle, Rows, columns, expected, ld, &ldOracle);
    set->layerNorm(&norm, Rows, x, ld, y, ld, own, ldOwn);
    oracle->layerNorm(&norm, Rows, x, ld, expected, ld, oracles, ldOracle);
    expectOperands(set, Rows, columns, y, ld, own);
    char what[80];
    snprintf(what, sizeof what, "layer norm of %zu columns", columns);
    // The mean near 100 is rounded to 8e-6 / 2, and the deviations are about 0.6.
    expectNear(what, count, y, expected, 6e-5f);
    releaseFloats();
  }
}

void checkEmbed(const KernelSet *set) {
  enum { Rows = 4 };
  static const int32_t ids[Rows] = {8, 0, 3, 3}, positions[Rows] = {0, 5, 2, 1};
  static const int32_t types[Rows] = {0, 1, 1, 0};
  for (size_t columns = 1; columns <= 384; columns = columns == 80 ? 384 : columns + 1) {
    const float *ones = guardedFloats(columns, 1, After);
    const LayerNorm norm = {.scale = ones, .shift = ones, .epsilon = 1e-3f, .columns = columns};
    const EmbeddingInput input = {
        .ids = ids,
        .positions = positions,
        .types = types,
        .wordTable = randomFloats(9 * columns, -1, 1, After),
        .positionTable = randomFloats(6 * columns, -1, 1, After),
        .typeTable = randomFloats(2 * columns, -1, 1, After),
    };
    const size_t count = Rows * columns;
    float *y = guardedFloats(count, NAN, After), *expected = guardedFloats(count, NAN, After);
    size_t ldOwn, ldOracle;
    void *own = roomForOperands(set, Rows, columns, y, columns, &ldOwn);
    void *oracles = roomForOperands(oracle, Rows, columns, expected, columns, &ldOracle);
    set->embed(&input, &norm, columns, Rows, y, columns, own, ldOwn);
    oracle->embed(&input, &norm, columns, Rows, expected, columns, oracles, ldOracle);
    expectOperands(set, Rows, columns, y, columns, own);
    char what[80];
    snprintf(what, sizeof what, "embedding of %zu columns", columns);
    expectNear(what, count, y, expected, 1e-5f);
    releaseFloats();
  }
}
