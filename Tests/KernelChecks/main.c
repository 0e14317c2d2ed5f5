// Compares kernel sets with `scalar`, without Swift: kernel-checks [NAME…] checks those named, such as
// avx2/int8, which the CPU must run, or all that it can run. Every check is first shown sets that are wrong
// in one function, and must see it.

#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "Checks.h"
#include "Memory.h"

const KernelSet *oracle;
/// The set that is being checked.
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
  last[0] *= honest->precision == PrecisionFloat32 ? 1 + 4e-7f : 1 + 1e-4f;
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

static void spoiledMultiply(size_t rows, size_t columns, void *x, size_t ldx, const void *y,
                            size_t ldy) {
  honest->multiply(rows, columns, x, ldx, y, ldy);
  spoilValue(x, columns - 1);
}

static void spoiledNormalizeValues(const LayerNorm *norm, size_t rows, void *x, size_t ldx,
                                   float *scratch) {
  honest->normalizeValues(norm, rows, x, ldx, scratch);
  spoilValue(x, norm->columns - 1);
}

static void spoiledMakeFloatOperands(size_t rows, size_t columns, const float *x, size_t ldx,
                                     void *operands, size_t ldOperands) {
  honest->makeFloatOperands(rows, columns, x, ldx, operands, ldOperands);
  if (honest->precision != PrecisionFloat32) memset(operands, 0x3f, honest->operandSize(columns));
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
  bool isFloat32Only;
} checks[] = {
    {"pack", checkPack, true},
    {"products", checkProducts, false},
    {"splits", checkSplits, false},
    {"activations", checkActivations, false},
    {"attention", checkAttention, false},
    {"elements", checkElements, false},
    {"layer norm", checkLayerNorm, false},
    {"embeddings", checkEmbed, false},
};

typedef void Function(void);

// A member of a set, a wrong function for it, and the check that must see it.
#define WRONG(MEMBER, FUNCTION, CHECK) {offsetof(KernelSet, MEMBER), (Function *)FUNCTION, CHECK}
static const struct {
  size_t member;
  Function *wrong;
  Check *sees;
} spoiled[] = {
    WRONG(pack, spoiledPack, checkPack),
    WRONG(product, spoiledProduct, checkProducts),
    WRONG(product, spoiledProduct, checkSplits),
    WRONG(product, spoiledProduct, checkActivations),
    WRONG(makeFloatOperands, spoiledMakeFloatOperands, checkProducts),
    WRONG(makeFloatOperands, spoiledMakeFloatOperands, checkLayerNorm),
    WRONG(attention, spoiledAttention, checkAttention),
    WRONG(applyRotary, spoiledRotary, checkElements),
    WRONG(multiply, spoiledMultiply, checkElements),
    WRONG(normalizeValues, spoiledNormalizeValues, checkElements),
    WRONG(layerNorm, spoiledLayerNorm, checkLayerNorm),
    WRONG(embed, spoiledEmbed, checkEmbed),
};

static size_t failures(Check *check, const KernelSet *set) {
  seedRandom();
  failureCount = 0;
  check(set);
  return failureCount;
}

// Whether a check fails on a set. It ends at its first failure.
static bool seesFailure(Check *check, const KernelSet *set) {
  jmp_buf back;
  firstFailure = &back;
  if (setjmp(back) == 0) failures(check, set);
  firstFailure = NULL;
  releaseFloats();
  return failureCount > 0;
}

// Whether a check fails on each set that it must fail on, one at least.
static bool canFail(Check *check) {
  bool isShown = false;
  for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++) {
    if (spoiled[i].sees != check) continue;
    // float32 has no operands but the floats.
    if (spoiled[i].member == offsetof(KernelSet, makeFloatOperands) &&
        honest->precision == PrecisionFloat32) {
      continue;
    }
    KernelSet set = *honest;
    memcpy((char *)&set + spoiled[i].member, &spoiled[i].wrong, sizeof spoiled[i].wrong);
    if (!seesFailure(check, &set)) return false;
    isShown = true;
  }
  return isShown;
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

// Sets for tests only: those of AMX and AVX-VNNI without their instructions.
extern const KernelSet emulatedTilesBfloat16Kernels, emulatedTilesInt8Kernels, emulatedVNNIKernels;
static const KernelSet *const emulated[] = {
#if defined(__x86_64__)
    &emulatedTilesBfloat16Kernels,
    &emulatedTilesInt8Kernels,
    &emulatedVNNIKernels,
#endif
    NULL,
};

// Those of the library first; null past the last.
static const KernelSet *setAt(size_t index) {
  size_t count = 0;
  while (kernelSet(count) != NULL) count++;
  return index < count ? kernelSet(index) : emulated[index - count];
}

static const char *const precisions[] = {"float32", "bfloat16", "int8"};

static size_t checkSet(const char *name) {
  size_t bad = 0;
  if (!pagesAreGuarded()) bad++, printf("a read past the end goes unseen\n");
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
    if (checks[i].isFloat32Only && honest->precision != PrecisionFloat32) continue;
    if (!canFail(checks[i].run)) bad++, printf("%s: does not see a wrong set\n", checks[i].name);
    const size_t found = failures(checks[i].run, honest);
    printf("%s: %s: %zu failures\n", name, checks[i].name, found);
    bad += found;
  }
  // Nothing to compare: they run.
  honest->peak(100);
  spinHint();
  return bad;
}

int main(int count, char **arguments) {
  size_t sets = 0, bad = 0;
  for (size_t i = 0; setAt(i) != NULL; i++) {
    honest = setAt(i);
    oracle = oracleOf(honest);
    char name[40];
    snprintf(name, sizeof name, "%s/%s", honest->name, precisions[honest->precision]);
    bool isAsked = count == 1;
    for (int j = 1; j < count; j++) isAsked = isAsked || strcmp(arguments[j], name) == 0;
    if (isAsked && honest != oracle && honest->isSupported()) sets++, bad += checkSet(name);
  }
  const size_t wanted = count == 1 ? sets : (size_t)count - 1;
  printf("kernel-checks: %zu of %zu sets run here, %zu failures\n", sets, wanted, bad);
  return sets == wanted && sets > 0 && bad == 0 ? 0 : 1;
}
