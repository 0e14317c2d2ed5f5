// Holds a kernel set against `scalar` where there is no Swift to do it: kernel-checks NAME. Every
// check is first shown a set that is wrong in one place, and must see it.

#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "Checks.h"
#include "Memory.h"

const KernelSet *oracle;
/// What the spoiled functions call.
static const KernelSet *honest;

static void spoiledPack(const float *weights, size_t outputs, size_t inputs, size_t firstPanel,
                        size_t endPanel, void *packed) {
  honest->pack(weights, outputs, inputs, firstPanel, endPanel, packed);
  if (outputs == honest->panelColumns + 1 && inputs == 3) ((float *)packed)[endPanel * 3 - 1] += 1;
}

static void spoiledProduct(const LinearLayer *layer, size_t firstPanel, size_t endPanel,
                           size_t rows, const void *x, size_t ldx, const float *residual,
                           size_t ldResidual, void *y, size_t ldy) {
  honest->product(layer, firstPanel, endPanel, rows, x, ldx, residual, ldResidual, y, ldy);
  float *last = (float *)((char *)y + (rows - 1) * ldy) + layer->outputs - 1;
  if (rows == honest->tileRows + 1) *last += 1e-4f;
}

// One bit, at one height.
static void heightDependentProduct(const LinearLayer *layer, size_t firstPanel, size_t endPanel,
                                   size_t rows, const void *x, size_t ldx, const float *residual,
                                   size_t ldResidual, void *y, size_t ldy) {
  honest->product(layer, firstPanel, endPanel, rows, x, ldx, residual, ldResidual, y, ldy);
  float *first = y;
  if (rows == 2) *first = nextafterf(*first, INFINITY);
}

static void inexactActivation(const LinearLayer *layer, size_t firstPanel, size_t endPanel,
                              size_t rows, const void *x, size_t ldx, const float *residual,
                              size_t ldResidual, void *y, size_t ldy) {
  honest->product(layer, firstPanel, endPanel, rows, x, ldx, residual, ldResidual, y, ldy);
  *(float *)((char *)y + (rows - 1) * ldy) *= 1 + 4e-7f;
}

static void spoiledAttention(const AttentionInput *input, void *y, size_t ldy, float *scratch) {
  honest->attention(input, y, ldy, scratch);
  if (input->headSize == 5) ((float *)y)[4] += 1e-4f;
}

static void spoiledLayerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx,
                             float *y, size_t ldy, void *operands, size_t ldOperands) {
  honest->layerNorm(norm, rows, x, ldx, y, ldy, operands, ldOperands);
  // The gap between rows.
  if (norm->columns == 7) y[7] = 0;
}

static void spoiledEmbed(const EmbeddingInput *input, const LayerNorm *norm, size_t rows,
                         float *y, size_t ldy, void *operands, size_t ldOperands) {
  honest->embed(input, norm, rows, y, ldy, operands, ldOperands);
  if (norm->columns == 7) y[6] += 1e-4f;
}

static void overreachingLayerNorm(const LayerNorm *norm, size_t rows, const float *x, size_t ldx,
                                  float *y, size_t ldy, void *operands, size_t ldOperands) {
  honest->layerNorm(norm, rows, x, ldx, y, ldy, operands, ldOperands);
  volatile float beyond = x[(rows - 1) * ldx + norm->columns];
  (void)beyond;
}

static const struct Check {
  const char *name;
  void (*run)(const KernelSet *set);
  /// The honest set with one function replaced.
  KernelSet spoiled;
} checks[] = {
    {"pack", checkPack, {.pack = spoiledPack}},
    {"products", checkProducts, {.product = spoiledProduct}},
    {"splits", checkSplits, {.product = heightDependentProduct}},
    {"activations", checkActivations, {.product = inexactActivation}},
    {"attention", checkAttention, {.attention = spoiledAttention}},
    {"layer norm", checkLayerNorm, {.layerNorm = spoiledLayerNorm}},
    {"embeddings", checkEmbed, {.embed = spoiledEmbed}},
};
enum { CheckCount = sizeof checks / sizeof *checks };

/// Whether the check fails on its spoiled set.
static bool seesTheSpoiled(const struct Check *check) {
  KernelSet set = *honest;
  if (check->spoiled.pack) set.pack = check->spoiled.pack;
  if (check->spoiled.product) set.product = check->spoiled.product;
  if (check->spoiled.attention) set.attention = check->spoiled.attention;
  if (check->spoiled.layerNorm) set.layerNorm = check->spoiled.layerNorm;
  if (check->spoiled.embed) set.embed = check->spoiled.embed;
  isQuiet = true;
  check->run(&set);
  isQuiet = false;
  const bool seen = failureCount > 0;
  failureCount = 0;
  return seen;
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

int main(int count, char **arguments) {
  const char *name = count == 2 ? arguments[1] : "";
  for (size_t i = 0; kernelSet(i) != NULL; i++) {
    oracle = kernelSet(i);
    if (oracle->precision != PrecisionFloat32 || !oracle->isSupported()) continue;
    if (strcmp(oracle->name, name) == 0) honest = oracle;
    if (strcmp(oracle->name, "scalar") == 0) break;
  }
  if (honest == NULL) {
    printf("kernel-checks: there is no kernel set '%s' here\n", name);
    return 2;
  }
  size_t bad = 0;
  if (!pagesAreGuarded()) bad++, printf("a read past the end goes unseen\n");
  for (size_t i = 0; i < CheckCount; i++) {
    seedRandom();
    if (!seesTheSpoiled(&checks[i])) bad++, printf("%s: cannot fail\n", checks[i].name);
    seedRandom();
    failureCount = 0;
    checks[i].run(honest);
    printf("%s: %s: %zu failures\n", name, checks[i].name, failureCount);
    bad += failureCount;
    failureCount = 0;
  }
  // Nothing to compare: they run.
  honest->peak(100);
  spinHint();
  return bad == 0 ? 0 : 1;
}
