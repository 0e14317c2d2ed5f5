#ifndef SESSION_H
#define SESSION_H

#include "COpenSSL.h"

#include <openssl/ssl.h>

struct tls_context {
  SSL_CTX *ssl;
  bool is_server;
};

/// Takes libssl's first error of this thread, in words, and forgets the rest.
void tls_take_reason(char *reason, size_t size);

#endif
