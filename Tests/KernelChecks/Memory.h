/// Floats and values between untouchable pages, and what is expected of them.
#ifndef MEMORY_H
#define MEMORY_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

/// Where the untouchable page is right beside the floats; there is one at the other end too.
typedef enum Side { Before, After } Side;

/// `count` copies of `filler` beside such a page, until `releaseFloats`: a read or write outside
/// kills the program.
float *_Nonnull guardedFloats(size_t count, float filler, Side side);
/// The same of bytes.
void *_Nonnull guardedBytes(size_t count, int filler, Side side);
void releaseFloats(void);

/// Random numbers in [low, high) that depend on nothing but the calls since `seedRandom`.
float *_Nonnull randomFloats(size_t count, float low, float high, Side side);
void seedRandom(void);

/// Counts a failure and prints it; or jumps to `firstFailure`, where one is what is wanted.
void fail(const char *_Nonnull format, ...) __attribute__((format(printf, 1, 2)));
extern size_t failureCount;
extern jmp_buf *_Nullable firstFailure;

/// Fails unless each pair is at most `bound` apart. A NaN is far from everything.
void expectNear(const char *_Nonnull what, size_t count, const float *_Nonnull a,
                const float *_Nonnull b, float bound);
/// Fails unless all bits are the same.
void expectSame(const char *_Nonnull what, size_t count, const float *_Nonnull a,
                const float *_Nonnull b);

#endif
