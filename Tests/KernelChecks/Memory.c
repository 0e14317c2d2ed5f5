#define _GNU_SOURCE
#include "Memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t failureCount;
jmp_buf *firstFailure;

static struct Region {
  char *start;
  size_t size;
} regions[64];
static size_t regionCount;

void *guardedBytes(size_t bytes, int filler, Side side) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t inside = (bytes + page - 1) / page * page, size = inside + 2 * page;
  if (regionCount == sizeof regions / sizeof *regions) abort();
  char *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mprotect(start + page, inside, PROT_READ | PROT_WRITE) != 0) abort();
  regions[regionCount++] = (struct Region){start, size};
  return memset(start + page + (side == After ? inside - bytes : 0), filler, bytes);
}

float *guardedFloats(size_t count, float filler, Side side) {
  float *floats = guardedBytes(count * sizeof *floats, 0, side);
  for (size_t i = 0; i < count; i++) floats[i] = filler;
  return floats;
}

void releaseFloats(void) {
  while (regionCount > 0) {
    regionCount--;
    munmap(regions[regionCount].start, regions[regionCount].size);
  }
}

static uint64_t state;

void seedRandom(void) { state = 1; }

// SplitMix64.
static float randomFloat(float low, float high) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return low + (high - low) * (float)((z ^ z >> 31) >> 40) * 0x1p-24f;
}

float *randomFloats(size_t count, float low, float high, Side side) {
  float *floats = guardedFloats(count, 0, side);
  for (size_t i = 0; i < count; i++) floats[i] = randomFloat(low, high);
  return floats;
}

void fail(const char *format, ...) {
  failureCount++;
  if (firstFailure) longjmp(*firstFailure, 1);
  va_list arguments;
  va_start(arguments, format);
  fputs("  ", stdout);
  vprintf(format, arguments);
  fputs("\n", stdout);
  va_end(arguments);
}

void expectNear(const char *what, size_t count, const float *a, const float *b, float bound) {
  float worst = 0;
  size_t place = 0;
  for (size_t i = 0; i < count; i++) {
    const float difference = fabsf(a[i] - b[i]);
    if (!(difference <= worst)) worst = difference, place = i;
    if (difference != difference) break;
  }
  if (!(worst <= bound)) {
    fail("%s: %g, not %g, at %zu", what, (double)a[place], (double)b[place], place);
  }
}

void expectSame(const char *what, size_t count, const float *a, const float *b) {
  for (size_t i = 0; i < count; i++) {
    if (memcmp(a + i, b + i, sizeof *a) != 0) {
      fail("%s: %a, not %a, at %zu", what, (double)a[i], (double)b[i], i);
      return;
    }
  }
}
