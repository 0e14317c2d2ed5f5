// Holds the kernel sets of a name, all precisions, against `scalar` where there is no Swift to do it:
// kernel-checks NAME. Every check is first shown a set that is wrong in one place, and must see it.

#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "Checks.h"
#include "Memory.h"

const KernelSet *oracle;
/// The set that is asked for.
static const KernelSet *honest;

// Wrong in one place each, and called instead of the honest ones.

static void spoilValue(void *row, size_t index) {
  if (honest->valueSize == sizeof(float)) {
    ((float *)row)[index] += 1e-4f;
  } else {
    // The sign of a bfloat16, and not that of 0.
    ((uint16_t *)row)[index] = (uint16_t)((((uint16_t *)row)[index] | 0x3c00) ^ 0x8000);
  }
}

static void spoiledPack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                        size_t endPanel, void *packed) {
  honest->pack(weights, outputs, inputs, firstPanel, endPanel, packed);
  if (inputs == 7) ((float *)packed)[0] += 1;
}

static void spoiledProduct(const LinearLayer *layer, size_t firstPanel, size_t endPanel,
                           size_t rows, const void *x, size_t ldx, const float *residual,
                           size_t ldResidual, void *y, size_t ldy) {
  honest->product(layer, firstPanel, endPanel, rows, x, ldx, residual, ldResidual, y, ldy);
  float *last = (float *)((uint8_t *)y + (rows - 1) * ldy);
  // 7 units in the last place; and what no rounding explains, at one height.
  last[0] *= honest->precision == PrecisionFloat32 ? 1 + 4e-7f : 1.01f;
  if (rows == honest->tileRows + 1) last[layer->outputs - 1] += 1e-4f;
}

static void spoiledAttention(const AttentionInput *input, void *y, size_t ldy, float *scratch) {
  honest->attention(input, y, ldy, scratch);
  if (input->headSize == 5) spoilValue(y, 4);
}

static void spoiledLayerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx,
                             float *y, size_t ldy, void *operands, size_t ldOperands) {
  honest->layerNorm(norm, rows, x, ldx, y, ldy, operands, ldOperands);
  // The gap between rows.
  if (norm->columns == 7) y[7] = 0;
}

static void spoiledRotary(const RotaryPositions *positions, size_t rows, size_t headCount,
                          size_t headSize, void *x, size_t ldx) {
  honest->applyRotary(positions, rows, headCount, headSize, x, ldx);
  if (headSize == 6) spoilValue(x, 5);
}

static void spoiledEmbed(const EmbeddingInput *input, const LayerNorm *norm, size_t columns,
                         size_t rows, float *y, size_t ldy, void *operands, size_t ldOperands) {
  honest->embed(input, norm, columns, rows, y, ldy, operands, ldOperands);
  if (columns == 7) y[6] += 1e-4f;
}

static void overreachingLayerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx,
                                  float *y, size_t ldy, void *operands, size_t ldOperands) {
  honest->layerNorm(norm, rows, x, ldx, y, ldy, operands, ldOperands);
  volatile float beyond = x[(rows - 1) * ldx + norm->columns];
  (void)beyond;
}

typedef void Check(const KernelSet *set);

static const struct {
  const char *name;
  Check *run;
} checks[] = {
    {"pack", checkPack},
    {"products", checkProducts},
    {"splits", checkSplits},
    {"activations", checkActivations},
    {"attention", checkAttention},
    {"elements", checkElements},
    {"layer norm", checkLayerNorm},
    {"embeddings", checkEmbed},
};

static size_t failures(Check *check, const KernelSet *set) {
  seedRandom();
  failureCount = 0;
  check(set);
  return failureCount;
}

static bool canFail(Check *check) {
  KernelSet spoiled = *honest;
  spoiled.pack = spoiledPack;
  spoiled.product = spoiledProduct;
  spoiled.attention = spoiledAttention;
  spoiled.layerNorm = spoiledLayerNorm;
  spoiled.applyRotary = spoiledRotary;
  spoiled.embed = spoiledEmbed;
  isQuiet = true;
  const size_t count = failures(check, &spoiled);
  isQuiet = false;
  return count > 0;
}

enum { Caught = 42 };

static void leave(int signal) {
  (void)signal;
  _exit(Caught);
}

/// Whether a read past the end is caught.
static bool pagesAreGuarded(void) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, leave);
    KernelSet set = *honest;
    set.layerNorm = overreachingLayerNorm;
    checkLayerNorm(&set);
    _exit(0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == Caught;
}

// Sets that no CPU chooses: those of AMX and AVX-VNNI without their instructions.
extern const KernelSet emulatedTilesBfloat16Kernels, emulatedTilesInt8Kernels, emulatedVNNIKernels;
static const KernelSet *const emulated[] = {
    &emulatedTilesBfloat16Kernels,
    &emulatedTilesInt8Kernels,
#if defined(__x86_64__)
    &emulatedVNNIKernels,
#endif
};

// The set of a name and a precision, or null.
static const KernelSet *find(const char *name, PrecisionKind precision) {
  for (size_t i = 0; i < sizeof emulated / sizeof *emulated; i++) {
    if (emulated[i]->precision == precision && strcmp(emulated[i]->name, name) == 0) return emulated[i];
  }
  for (size_t i = 0; kernelSet(i) != NULL; i++) {
    const KernelSet *set = kernelSet(i);
    if (set->precision == precision && strcmp(set->name, name) == 0 && set->isSupported()) return set;
  }
  return NULL;
}

static size_t checkSet(const char *name) {
  static const char *const precisions[] = {"float32", "bfloat16", "int8"};
  size_t bad = 0;
  if (!pagesAreGuarded()) bad++, printf("a read past the end goes unseen\n");
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
    if (checks[i].run == checkPack && honest->precision != PrecisionFloat32) continue;
    if (!canFail(checks[i].run)) bad++, printf("%s: cannot fail\n", checks[i].name);
    const size_t found = failures(checks[i].run, honest);
    printf("%s, %s: %s: %zu failures\n", name, precisions[honest->precision], checks[i].name, found);
    bad += found;
  }
  // Nothing to compare: they run.
  honest->peak(100);
  spinHint();
  return bad;
}

int main(int count, char **arguments) {
  const char *name = count == 2 ? arguments[1] : "";
  size_t sets = 0, bad = 0;
  for (PrecisionKind precision = PrecisionFloat32; precision <= PrecisionInt8; precision++) {
    oracle = find("scalar", precision);
    honest = find(name, precision);
    if (honest != NULL) sets++, bad += checkSet(name);
  }
  if (sets == 0) printf("kernel-checks: there is no kernel set '%s' here\n", name);
  return sets == 0 ? 2 : bad == 0 ? 0 : 1;
}
