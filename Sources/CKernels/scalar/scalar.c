// Plain C: the oracle of the other sets, and what runs where there is none. Written for clarity;
// the loops over a panel's columns are left for the compiler to turn into vectors.

#include <math.h>
#include <string.h>

#include "../KernelSets.h"

enum { TileRows = 4, PanelColumns = 16 };

static bool isSupported(void) { return true; }

static void prepareActivation(ActivationKind kind, Activation *activation) {
  activation->kind = kind;
}

static float activated(ActivationKind kind, float x) {
  static const float sqrtHalf = 0.70710678f, sqrtTwoOverPi = 0.79788456f;
  switch (kind) {
    case ActivationNone: return x;
    case ActivationReLU: return x < 0 ? 0 : x;
    case ActivationGELUErf: return 0.5f * x * erfcf(-x * sqrtHalf);
    case ActivationGELUTanh:
      return 0.5f * x * (1 + tanhf(sqrtTwoOverPi * (x + 0.044715f * x * x * x)));
    case ActivationTanh: return tanhf(x);
  }
}

static void pack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                 size_t endPanel, float *packed) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    float *panel = packed + p * PanelColumns * inputs;
    for (size_t k = 0; k < inputs; k++) {
      for (size_t j = 0; j < PanelColumns; j++) {
        const size_t output = p * PanelColumns + j;
        panel[k * PanelColumns + j] = output < outputs ? weights[output * inputs + k] : 0;
      }
    }
  }
}

// Shorter than the others' PartialSumLength: without fused multiply-adds each term is rounded too.
enum { SumLength = 32 };

// Up to TileRows rows of x times a panel.
static void tile(size_t rows, size_t inputs, const float *x, size_t ldx, const float *panel,
                 float total[TileRows][PanelColumns]) {
  memset(total, 0, sizeof(float[TileRows][PanelColumns]));
  for (size_t start = 0; start < inputs; start += SumLength) {
    const size_t end = inputs - start < SumLength ? inputs : start + SumLength;
    float sums[TileRows][PanelColumns] = {0};
    for (size_t k = start; k < end; k++) {
      for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < PanelColumns; j++) {
          sums[r][j] += x[r * ldx + k] * panel[k * PanelColumns + j];
        }
      }
    }
    for (size_t r = 0; r < rows; r++) {
      for (size_t j = 0; j < PanelColumns; j++) total[r][j] += sums[r][j];
    }
  }
}

static void product(const LinearLayer *layer, size_t firstPanel, size_t endPanel, size_t rows,
                    const float *x, size_t ldx, const float *residual, size_t ldResidual,
                    float *y, size_t ldy) {
  for (size_t p = firstPanel; p < endPanel; p++) {
    for (size_t start = 0; start < rows; start += TileRows) {
      const size_t height = rows - start < TileRows ? rows - start : TileRows;
      float sums[TileRows][PanelColumns];
      tile(height, layer->inputs, x + start * ldx, ldx,
           layer->weights + p * PanelColumns * layer->inputs, sums);
      for (size_t r = 0; r < height; r++) {
        for (size_t j = 0; j < PanelColumns && p * PanelColumns + j < layer->outputs; j++) {
          const size_t row = start + r, column = p * PanelColumns + j;
          float sum = sums[r][j] + layer->bias[column];
          if (residual) sum += residual[row * ldResidual + column];
          y[row * ldy + column] = activated(layer->activation->kind, sum);
        }
      }
    }
  }
}

static size_t attentionScratch(size_t keyCount, size_t headSize) {
  (void)headSize;
  return keyCount;
}

static void attention(const AttentionInput *input, float *y, size_t ldy, float *scratch) {
  const size_t size = input->headSize;
  const float scale = 1 / sqrtf((float)size);
  for (size_t i = 0; i < input->queryCount; i++) {
    for (size_t head = 0; head < input->headCount; head++) {
      const float *query = input->queries + i * input->ldQueries + head * size;
      float largest = -INFINITY;
      for (size_t k = 0; k < input->keyCount; k++) {
        const float *key = input->keys + k * input->ldKeys + head * size;
        float score = 0;
        for (size_t d = 0; d < size; d++) score += query[d] * key[d];
        scratch[k] = score * scale;
        if (!(scratch[k] <= largest)) largest = scratch[k];
      }
      float sum = 0;
      for (size_t k = 0; k < input->keyCount; k++) {
        scratch[k] = expf(scratch[k] - largest);
        sum += scratch[k];
      }
      float *row = y + i * ldy + head * size;
      for (size_t d = 0; d < size; d++) row[d] = 0;
      for (size_t k = 0; k < input->keyCount; k++) {
        const float *value = input->values + k * input->ldKeys + head * size;
        for (size_t d = 0; d < size; d++) row[d] += scratch[k] / sum * value[d];
      }
    }
  }
}

static void layerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx, float *y,
                      size_t ldy) {
  const size_t columns = norm->columns;
  for (size_t r = 0; r < rows; r++) {
    const float *from = x + r * ldx;
    double mean = 0, variance = 0;
    for (size_t j = 0; j < columns; j++) mean += (double)from[j];
    mean /= (double)columns;
    for (size_t j = 0; j < columns; j++) {
      variance += ((double)from[j] - mean) * ((double)from[j] - mean);
    }
    const double factor = 1 / sqrt(variance / (double)columns + (double)norm->epsilon);
    for (size_t j = 0; j < columns; j++) {
      const float normalized = (float)(((double)from[j] - mean) * factor);
      y[r * ldy + j] = normalized * norm->scale[j] + norm->shift[j];
    }
  }
}

static void embed(const EmbeddingInput *input, const LayerNorm *norm, size_t rows, float *y,
                  size_t ldy) {
  const size_t columns = norm->columns;
  for (size_t r = 0; r < rows; r++) {
    const float *word = input->wordTable + (size_t)input->ids[r] * columns;
    const float *position = input->positionTable + (size_t)input->positions[r] * columns;
    const float *type = input->typeTable + (size_t)input->types[r] * columns;
    float *row = y + r * ldy;
    for (size_t j = 0; j < columns; j++) row[j] = word[j] + type[j] + position[j];
    layerNorm(norm, 1, row, ldy, row, ldy);
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

const KernelSet scalarKernels = {
    .name = "scalar",
    .isSupported = isSupported,
    .tileRows = TileRows,
    .panelColumns = PanelColumns,
    .prepareActivation = prepareActivation,
    .pack = pack,
    .product = product,
    .attention = attention,
    .attentionScratch = attentionScratch,
    .layerNorm = layerNorm,
    .embed = embed,
    .peak = peak,
    .peakOperations = 2 * PeakChains,
};
