// Attention on bfloat16 values: as attention.h, with pairs for numbers. Scores, softmax and sums
// are float32; the numerators are rounded to bfloat16 in place. A set that widens panels packs
// pairs as widenedPairs.h says.

#pragma once

#include "relative.h"
#include "values.h"
#ifdef WIDENS
#include "widenedPairs.h"
#endif

INLINE size_t pairCount(size_t count) { return (count + 1) / 2; }

#ifndef WIDENS
// Words that a pair takes.
enum { PairWords = 1 };
#endif

// Groups of parts of the scratch memory.
INLINE size_t packedKeysCount(size_t keyCount, size_t headSize) {
  return panelCount(keyCount) * PanelColumns * pairCount(headSize) * PairWords;
}

INLINE size_t packedValuesCount(size_t keyCount, size_t headSize) {
  return panelCount(headSize) * PanelColumns * pairCount(keyCount) * PairWords;
}

// 2^t for t ≤ 0, to 7.5e-5 of itself: a twentieth of what bfloat16 rounds. The coefficients are a
// minimax fit of degree 3 on [-1/2, 1/2].
INLINE vec exponential(vec t) {
  const vec whole = vround(t), f = t - whole;
  vec p = vset(0x1.c3f760p-5f);
  p = vfma(p, f, vset(0x1.f0de1cp-3f));
  p = vfma(p, f, vset(0x1.62f31ap-1f));
  p = vfma(p, f, vset(0x1.fff692p-1f));
  return vscale(p, whole);
}

#ifdef WIDENS
INLINE void storeNumerators(float *row, size_t j, vec p) { vstore(row + j, vrounded(p)); }

INLINE void clearNumerators(float *row, size_t first, size_t end) {
  for (size_t j = first; j < end; j++) row[j] = 0;
}
#else
INLINE void storeNumerators(float *row, size_t j, vec p) { vnarrow((Value *)row + j, p); }

INLINE void clearNumerators(float *row, size_t first, size_t end) {
  for (size_t j = first; j < end; j++) ((Value *)row)[j] = 0;
}
#endif

static size_t attentionScratch(size_t keyCount, size_t headSize, size_t relativeCount) {
  const size_t count = packedKeysCount(keyCount, headSize) +
                       packedValuesCount(keyCount, headSize) + TILE_ROWS * scoresStride(keyCount) +
                       packedKeysCount(relativeCount, headSize) +
                       relativeProductsCount(keyCount, relativeCount);
#ifdef WIDENS
  return count + TILE_ROWS * queryStride(headSize);
#else
  return count;
#endif
}

#ifndef WIDENS

// Pairs of a key lie side by side already; only the last of an odd number is alone.
INLINE void packKeys(size_t count, size_t headSize, const uint8_t *keys, size_t ld,
                     uint32_t *panel) {
  packPanel(count, headSize / 2, (const float *)keys, ld / 4, (float *)panel);
  if (headSize % 2 == 0) return;
  uint32_t *last = panel + headSize / 2 * PanelColumns;
  for (size_t r = 0; r < PanelColumns; r++) {
    last[r] = r < count ? (uint32_t)loadGroup(keys + r * ld + 2 * (headSize - 1), 2) : 0;
  }
}

// Pairs are the same column of two rows.
static void packValues(size_t keyCount, size_t headSize, const uint8_t *values, size_t ld,
                       uint32_t *packed) {
  for (size_t first = 0; first < headSize; first += PanelColumns) {
    for (size_t k = 0; k < keyCount; k += 2) {
      UNROLL
      for (size_t j = first; j < first + PanelColumns; j += LANES) {
        bits pairs = bzeros();
        if (j < headSize) {
          const Value *row = (const Value *)(values + k * ld) + j;
          const Value *next = (const Value *)(values + (k + 1) * ld) + j;
          const size_t n = headSize - j;
          pairs = n >= LANES ? bwiden(row) : bwidenn(row, n);
          if (k + 1 < keyCount) {
            pairs = bor(pairs, bhigh(n >= LANES ? bwiden(next) : bwidenn(next, n)));
          }
        }
        bstore(packed, pairs);
        packed += LANES;
      }
    }
  }
}

#endif

INLINE size_t keyPanelCount(size_t headSize) {
  return PanelColumns * pairCount(headSize) * PairWords;
}

static void packHeadKeys(size_t count, size_t headSize, const uint8_t *keys, size_t ld,
                         uint32_t *packed) {
  for (size_t p = 0; p < panelCount(count); p++) {
    packKeys(least(PanelColumns, count - p * PanelColumns), headSize, keys + p * PanelColumns * ld,
             ld, packed + p * keyPanelCount(headSize));
  }
}

// Rows times packed keys: [rows, keyCount], whole panels.
//
// - widened: room for a tile's rows, where pairs are widened.
static void multiplyKeys(size_t rows, size_t headSize, const uint8_t *x, size_t ldx,
                         const uint32_t *keys, size_t keyCount, float *widened, float *scores,
                         size_t ld) {
#ifdef WIDENS
  widenQueries(rows, headSize, x, ldx, widened);
#else
  (void)widened;
#endif
  for (size_t p = 0; p < panelCount(keyCount); p++) {
    const uint32_t *panel = keys + p * keyPanelCount(headSize);
    uint32_t *panelScores = (uint32_t *)scores + p * PanelColumns;
#ifdef WIDENS
    multiplyPairs(rows, headSize, widened, queryStride(headSize), panel, panelScores, ld);
#else
    tilesPairs[rows](headSize * ValueSize, x, ldx, panel, (Ahead){.from = (const uint8_t *)panel},
                     panelScores, ld);
#endif
  }
}

static void attention(const AttentionInput *input, void *y, size_t ldy, float *scratch) {
  const size_t keyCount = input->keyCount, headSize = input->headSize;
  const size_t headBytes = headSize * ValueSize;
  uint32_t *keys = (uint32_t *)scratch;
  uint32_t *values = keys + packedKeysCount(keyCount, headSize);
  float *scores = (float *)(values + packedValuesCount(keyCount, headSize));
  const size_t ldScores = scoresStride(keyCount), count = tileCount(input->queryCount);
  const float *bias = input->bias;
  const RelativeInput *relative = &input->relative;
  const RelativeRange distances = relativeRange(input);
  uint32_t *relativeKeys = (uint32_t *)(scores + TILE_ROWS * ldScores);
  float *ofQueries = (float *)(relativeKeys + packedKeysCount(distances.count, headSize));
  float *ofKeys = ofQueries + TILE_ROWS * scoresStride(distances.count);
  // Only where pairs are widened.
  float *widened = distances.count > 0 ? ofKeys + distances.count * ldScores : (float *)relativeKeys;
  _Alignas(64) uint32_t sums[TILE_ROWS * PanelColumns];
  for (size_t head = 0; head < input->headCount; head++) {
    const size_t column = head * headBytes;
    const uint8_t *headKeys = (const uint8_t *)input->keys + column;
    packHeadKeys(keyCount, headSize, headKeys, input->ldKeys, keys);
    const size_t firstDistance = distances.first * relative->ld + column;
    if (distances.count > 0 && relative->keys) {
      packHeadKeys(distances.count, headSize, (const uint8_t *)relative->keys + firstDistance,
                   relative->ld, relativeKeys);
    }
    for (size_t r = 0; relative->queries && r < distances.count; r += TILE_ROWS) {
      multiplyKeys(least(TILE_ROWS, distances.count - r), headSize,
                   (const uint8_t *)relative->queries + firstDistance + r * relative->ld,
                   relative->ld, keys, keyCount, widened, ofKeys + r * ldScores, ldScores);
    }
    packValues(keyCount, headSize, (const uint8_t *)input->values + column, input->ldKeys, values);
    for (size_t t = 0; t < count; t++) {
      const size_t start = input->queryCount * t / count;
      const size_t height = input->queryCount * (t + 1) / count - start;
      const uint8_t *queries =
          (const uint8_t *)input->queries + start * input->ldQueries + column;
      const KeyRange attended = keysOfTile(input, start);
      const size_t attendedCount = attended.end - attended.first;
      multiplyKeys(height, headSize, queries, input->ldQueries,
                   keys + attended.first / PanelColumns * keyPanelCount(headSize), attendedCount,
                   widened, scores, ldScores);
      if (distances.count > 0) {
        if (relative->keys) {
          multiplyKeys(height, headSize, queries, input->ldQueries, relativeKeys, distances.count,
                       widened, ofQueries, scoresStride(distances.count));
        }
        addRelative(input, distances, start, height, attended, relative->keys ? ofQueries : NULL,
                    relative->queries ? ofKeys : NULL, scores, ldScores);
      }
      float factors[TILE_ROWS];
      if (bias) {
        biasScores(height, attendedCount, input->scale,
                   bias + head * input->ldBias + attended.first - start, scores, ldScores);
      }
      if (input->window) maskScores(input, attended, start, height, scores, ldScores);
      softmax(height, attendedCount, bias ? 1 : input->scale, scores, ldScores, factors);
      if (input->window) maskNumerators(input, attended, start, height, scores, ldScores);
#ifdef WIDENS
      endPairs(height, attendedCount, scores, ldScores);
#endif
      for (size_t first = 0; first < headSize; first += PanelColumns) {
        // A pair of rows has PanelColumns pairs, and a panel of keys begins with a pair.
        const uint32_t *panel =
            values +
            (first * pairCount(keyCount) + attended.first / 2 * PanelColumns) * PairWords;
#ifdef WIDENS
        multiplyPairs(height, attendedCount, scores, ldScores, panel, sums, PanelColumns);
#else
        tilesPairs[height](attendedCount * ValueSize, (const uint8_t *)scores,
                           ldScores * sizeof(float), panel, (Ahead){.from = (const uint8_t *)panel},
                           sums, PanelColumns);
#endif
        const size_t columns = least(PanelColumns, headSize - first);
        for (size_t r = 0; r < height; r++) {
          Value *row = (Value *)((uint8_t *)y + (start + r) * ldy + column) + first;
          for (size_t j = 0; j < columns; j += LANES) {
            const vec v = asFloats(bload(sums + r * PanelColumns + j)) * vset(factors[r]);
            storeValues(row + j, v, columns - j);
          }
        }
      }
    }
  }
}
