/// The arithmetic of a BERT encoder, once per instruction set and precision.
///
/// Letters: R rows (tokens), K inputs and N outputs of a linear layer, D values per attention
/// head, S keys. Matrices are row-major; a leading dimension (`ld…`) is the distance of two rows:
/// in elements where they are floats, in bytes where the pointer is to void. No function writes
/// past the rows and columns that it names, needs an alignment, or allocates.
///
/// What is added up along the model's depth is float32 at every precision. What lies between the
/// products are *values*: float32, or bfloat16 at the two lower precisions. A product reads
/// *operands*: the values themselves, or rows made of them: of int8, or of bfloat16 as floats where
/// the CPU multiplies nothing shorter.
///
/// Every element of every result is computed by one fixed sequence of operations per kernel set:
/// it does not depend on which rows or panels share a call, nor on where they lie in memory. So
/// work may be split over threads and batches in any way, with the same bits.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "X86Features.h"

// A product and a sum round twice unless fma is written: in every file from here on, whatever flags
// it is compiled with.
#pragma STDC FP_CONTRACT OFF

/// What products multiply. Sums are float32; of int8, exact in int32 first.
typedef enum PrecisionKind : int32_t {
  PrecisionFloat32,
  /// Weights and inputs rounded to bfloat16.
  PrecisionBfloat16,
  /// Weights in 8 bits with a scale an output, inputs in 8 bits with a scale a row; or with one for each
  /// 128 columns of both (avx2).
  PrecisionInt8,
} PrecisionKind;

/// What follows a linear layer, element by element.
typedef enum ActivationKind : int32_t {
  ActivationNone,
  ActivationReLU,
  /// x · Φ(x), with the error function.
  ActivationGELUErf,
  /// 0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
  ActivationGELUTanh,
  ActivationTanh,
  /// x / (1 + e⁻ˣ), also called swish.
  ActivationSiLU,
} ActivationKind;

/// The definitions, in float32: what the scalar sets compute.
static inline float plainActivation(ActivationKind kind, float x) {
  static const float sqrtHalf = 0.70710678f, sqrtTwoOverPi = 0.79788456f;
  switch (kind) {
    case ActivationNone: return x;
    case ActivationReLU: return x < 0 ? 0 : x;
    case ActivationGELUErf: return 0.5f * x * erfcf(-x * sqrtHalf);
    case ActivationGELUTanh:
      return 0.5f * x * (1 + tanhf(sqrtTwoOverPi * (x + 0.044715f * x * x * x)));
    case ActivationTanh: return tanhf(x);
    case ActivationSiLU: return x / (1 + expf(-x));
  }
}

enum {
  /// Pieces and coefficients of the largest table below: 8 × 12 and 32 × 6 fit.
  GateTableCount = 192,
  /// Bytes; packed weights that begin at a multiple of it are read fastest.
  KernelAlignment = 64,
};

/// An activation as a kernel set computes it. Both kinds of GELU are x · gate(x) with a gate that
/// rises from 0 to 1, kept as a piecewise polynomial.
typedef struct Activation {
  ActivationKind kind;
  /// Coefficient c of piece p at [c · pieces + p]; see shared/gate.h.
  float gate[GateTableCount];
} Activation;

/// y = activation(x · Wᵀ + b) with packed weights.
typedef struct LinearLayer {
  /// Panels of `panelColumns` outputs each, `panelSize` bytes; the last one filled up with zeros.
  const void *_Nonnull weights;
  /// [N]
  const float *_Nonnull bias;
  /// K and N.
  size_t inputs, outputs;
  const Activation *_Nonnull activation;
  /// Whether y is values, for attention or another product; or floats.
  bool givesValues;
} LinearLayer;

/// Disentangled attention: scores also depend on the relative position of key and query.
///
/// Source: He et al., DeBERTa.
typedef struct RelativeInput {
  /// First of the head's columns, [rows, D …], values: relative embeddings projected as keys, which queries
  /// are multiplied with (c2p), and projected as queries, which keys are multiplied with (p2c). Null
  /// leaves the term out.
  const void *_Nullable keys, *_Nullable queries;
  /// Bytes from row to row.
  size_t ld;
  /// rowOfDistance[k - i] is the row for query i and key k; it does not increase with k - i. Null without
  /// either term.
  const int32_t *_Nullable rowOfDistance;
} RelativeInput;

/// The rows of all heads of one sequence that attend to each other.
typedef struct AttentionInput {
  /// First of the head's columns: [queryCount, D …], [keyCount, D …] and the same; values. The
  /// distance of rows is a multiple of 4 bytes.
  const void *_Nonnull queries, *_Nonnull keys, *_Nonnull values;
  size_t ldQueries, ldKeys;
  /// keyCount at least 1.
  size_t queryCount, keyCount;
  /// Heads lie side by side, D columns each.
  size_t headCount, headSize;
  /// Of scores, before a bias: mostly 1 / √D.
  float scale;
  /// Added to scores before they are scaled.
  RelativeInput relative;
  /// What is added to scores, by head and by distance from the query to the key: that of query i and
  /// key k of head h is bias[h · ldBias + k - i]. Null for nothing.
  const float *_Nullable bias;
  size_t ldBias;
  /// Query i attends to the keys k with |k - i| < window; to all if it is 0. Without any its result
  /// is 0, as PyTorch's is.
  size_t window;
} AttentionInput;

/// Rows of the embedding tables to add up, [R] each; every index is valid.
typedef struct EmbeddingInput {
  const int32_t *_Nonnull ids, *_Nonnull positions, *_Nonnull types;
  /// [vocabulary, H], [positions, H], [types, H]; null without one.
  const float *_Nonnull wordTable;
  const float *_Nullable positionTable, *_Nonnull typeTable;
} EmbeddingInput;

/// (x - mean) / √(variance + epsilon) · scale + shift, over one row of H.
typedef struct LayerNorm {
  const float *_Nonnull scale, *_Nonnull shift;
  float epsilon;
  size_t columns;
  /// x / √(mean square + epsilon) · scale + shift instead.
  bool isRootMeanSquare;
} LayerNorm;

/// Rotary position embedding: columns j and j + size / 2 of a head's first `size` are rotated as a pair,
/// by an angle that grows with the position.
///
/// Source: Su et al., RoFormer, in the order of columns that Hugging Face's models have.
typedef struct RotaryPositions {
  /// [positions, size]: cosines of the size / 2 angles, then their sines.
  const float *_Nonnull table;
  /// Even.
  size_t size;
} RotaryPositions;

/// All functions for one instruction set and precision.
typedef struct KernelSet {
  /// Of the instruction set; the same for all precisions.
  const char *_Nonnull name;
  PrecisionKind precision;
  /// Whether this CPU and operating system can run it.
  bool (*_Nonnull isSupported)(void);
  /// Rows of the product's register tile: fewer rows at once cost more per row.
  size_t tileRows;
  /// Whether a product converts each panel to float32 first, which costs less per row the more rows there are.
  bool widensPanels;
  /// Outputs per packed panel.
  size_t panelColumns;
  /// Bytes of a packed panel of K inputs: a multiple of 4.
  size_t (*_Nonnull panelSize)(size_t inputs);
  /// Bytes of a value.
  size_t valueSize;
  /// Bytes of an operand row of K.
  size_t (*_Nonnull operandSize)(size_t inputs);

  void (*_Nonnull prepareActivation)(ActivationKind kind, Activation *_Nonnull activation);

  /// Packs the panels [firstPanel, endPanel) of a weight matrix.
  ///
  /// - weights: [N, K], ld K, as PyTorch keeps a Linear layer.
  /// - packed: the whole layer's panels.
  void (*_Nonnull pack)(const float *_Nonnull weights, size_t outputs, size_t inputs,
                        size_t firstPanel, size_t endPanel, void *_Nonnull packed);

  /// The panels [firstPanel, endPanel) of a linear layer:
  /// y = activation(x · Wᵀ + b) + residual.
  ///
  /// - x: [R, K], operands; residual, y: [R, N], residual may be null; both begin at the layer's
  ///   first output, whatever the first panel. y overlaps neither, and has no residual if it is
  ///   values.
  void (*_Nonnull product)(const LinearLayer *_Nonnull layer, size_t firstPanel, size_t endPanel,
                           size_t rows, const void *_Nonnull x, size_t ldx,
                           const float *_Nullable residual, size_t ldResidual,
                           void *_Nonnull y, size_t ldy);

  /// Makes operands of x, [R, columns], values. Null if values are operands.
  void (*_Nullable makeOperands)(size_t rows, size_t columns, const void *_Nonnull x, size_t ldx,
                                 void *_Nonnull operands, size_t ldOperands);

  /// Makes operands of x, [R, columns], floats; of float32 that is x itself, and nothing is written.
  void (*_Nonnull makeFloatOperands)(size_t rows, size_t columns, const float *_Nonnull x,
                                     size_t ldx, void *_Nonnull operands, size_t ldOperands);

  /// softmax((Q · Kᵀ + relative) · scale + bias) · V for every head.
  ///
  /// - y: [queryCount, headCount · D], values
  /// - scratch: `attentionScratch` floats.
  void (*_Nonnull attention)(const AttentionInput *_Nonnull input, void *_Nonnull y, size_t ldy,
                             float *_Nonnull scratch);
  /// - relativeCount: most rows of `relative` that the distances in one input have.
  size_t (*_Nonnull attentionScratch)(size_t keyCount, size_t headSize, size_t relativeCount);

  /// Rotates the heads of x, [R, headCount · D], values, in place. The rows' positions are 0, 1, ….
  void (*_Nonnull applyRotary)(const RotaryPositions *_Nonnull positions, size_t rows,
                               size_t headCount, size_t headSize, void *_Nonnull x, size_t ldx);

  /// x = x · y, element by element, [R, columns], values.
  void (*_Nonnull multiply)(size_t rows, size_t columns, void *_Nonnull x, size_t ldx,
                            const void *_Nonnull y, size_t ldy);

  /// x, y: [R, columns]; y may be x. operands: y for a product; of float32 y itself, and nothing
  /// is written.
  void (*_Nonnull layerNorm)(const LayerNorm *_Nonnull norm, size_t rows, const float *_Nonnull x,
                             size_t ldx, float *_Nonnull y, size_t ldy, void *_Nonnull operands,
                             size_t ldOperands);

  /// layerNorm of x, [R, columns], values, in place.
  ///
  /// - scratch: a row of floats.
  void (*_Nonnull normalizeValues)(const LayerNorm *_Nonnull norm, size_t rows, void *_Nonnull x,
                                   size_t ldx, float *_Nonnull scratch);

  /// layerNorm(word + type + position). y: [R, columns], operands as of `layerNorm`.
  ///
  /// - norm: null for the sum itself.
  void (*_Nonnull embed)(const EmbeddingInput *_Nonnull input, const LayerNorm *_Nullable norm,
                         size_t columns, size_t rows, float *_Nonnull y, size_t ldy,
                         void *_Nonnull operands, size_t ldOperands);

  /// Multiply-adds on registers alone, which nothing but the core's units holds up.
  void (*_Nonnull peak)(size_t steps);
  /// Floating-point operations of one step of it, two a multiply-add.
  double peakOperations;
} KernelSet;

/// Kernel sets built into this binary, in order of preference; null past the last. Of a precision the
/// fastest come first, but the places of amx, avxvnni and neon* are not measured.
const KernelSet *_Nullable kernelSet(size_t index);

/// The scalar kernel set that tests compare a set with: it rounds weights and inputs in the same way.
const KernelSet *_Nonnull oracleOf(const KernelSet *_Nonnull set);

/// How a sequence's rows become one vector, as sentence-transformers does.
typedef enum PoolingKind : int32_t {
  PoolingMean,
  PoolingMax,
  PoolingMeanSqrtLength,
  /// The mean, row i (from 1) weighted by i.
  PoolingWeightedMean,
} PoolingKind;

/// Pools x, [rows, columns] with at least one row, into y, [columns]. Sums are kept in double.
void poolRows(PoolingKind kind, size_t rows, size_t columns, const float *_Nonnull x, size_t ldx,
              float *_Nonnull y);

/// y = W x + b: W is [outputs, inputs], x [inputs], b and y [outputs]; sums in float64.
void denseVector(size_t inputs, size_t outputs, const float *_Nonnull w, const float *_Nonnull b,
                 const float *_Nonnull x, float *_Nonnull y);

/// Divides x by its Euclidean length, or by 1e-12 if that is larger (`torch.nn.functional
/// .normalize`).
void normalizeLength(size_t count, float *_Nonnull x);

/// Copies x, [rows, columns], into y without gaps, and says whether all of it is finite.
bool copyFinite(size_t rows, size_t columns, const float *_Nonnull x, size_t ldx,
                float *_Nonnull y);

/// Takes the larger of x and y into y, and says whether all of x is finite.
bool takeLarger(size_t count, const float *_Nonnull x, float *_Nonnull y);

/// Reads memory once from front to back, in whole blocks of 128 bytes, to measure what its way to a
/// core costs. The sum that it gives keeps the compiler from leaving the reading out.
uint64_t readAll(const void *_Nonnull memory, size_t bytes);

/// Tells the core that this thread is spinning.
static inline void spinHint(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
