/// The SHA-256 of bytes that come one after another, by libcrypto (OpenSSL 3).
#ifndef CDIGEST_H
#define CDIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_SIZE = 32 };

struct digest;

/// Returns NULL without memory.
struct digest *_Nullable digest_new(void);
bool digest_add(struct digest *_Nonnull digest, const void *_Nullable bytes, size_t count);
/// Writes `DIGEST_SIZE` bytes, and frees the digest.
bool digest_finish(struct digest *_Nonnull digest, unsigned char *_Nonnull bytes);

#endif
