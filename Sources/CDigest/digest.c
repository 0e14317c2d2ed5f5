#include "CDigest.h"

#include <openssl/evp.h>

struct digest *digest_new(void) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
    EVP_MD_CTX_free(context);
    return NULL;
  }
  return (struct digest *)context;
}

bool digest_add(struct digest *digest, const void *bytes, size_t count) {
  return EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes, count) == 1;
}

bool digest_finish(struct digest *digest, unsigned char *bytes) {
  unsigned int size = 0;
  bool is_done = EVP_DigestFinal_ex((EVP_MD_CTX *)digest, bytes, &size) == 1;
  EVP_MD_CTX_free((EVP_MD_CTX *)digest);
  return is_done && size == DIGEST_SIZE;
}
