#include "session.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Forward secrecy and authenticated encryption only; TLS 1.3's suites are all of that kind.
static const char *const CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20";

void tls_take_reason(char *reason, size_t size) {
  unsigned long error = ERR_peek_error();
  const char *words = ERR_reason_error_string(error);
  if (!words && ERR_GET_LIB(error) == ERR_LIB_SYS) words = strerror(ERR_GET_REASON(error));
  snprintf(reason, size, "%s", words ? words : "no reason is given");
  ERR_clear_error();
}

// Without it a key with a password would be asked for on the terminal.
static int no_password(char *buffer, int size, int writing, void *data) {
  (void)buffer, (void)size, (void)writing, (void)data;
  return 0;
}

// RFC 7301: a client that names protocols and not ours is told so.
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                           const unsigned char *offered, unsigned int count, void *data) {
  (void)ssl, (void)data;
  static const unsigned char ours[] = "\x08http/1.1";
  int found = SSL_select_next_proto((unsigned char **)chosen, length, ours, sizeof ours - 1,
                                    offered, count);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static struct tls_context *fail(struct tls_context *context, struct tls_fault *fault, int what) {
  fault->what = what;
  tls_take_reason(fault->reason, sizeof fault->reason);
  if (context) tls_context_free(context);
  return NULL;
}

static struct tls_context *context_new(bool is_server, struct tls_fault *fault) {
  ERR_clear_error();
  struct tls_context *context = calloc(1, sizeof *context);
  if (!context) return fail(NULL, fault, TLS_FAULT_MEMORY);
  context->is_server = is_server;
  context->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
  if (!context->ssl) return fail(context, fault, TLS_FAULT_MEMORY);
  SSL_CTX_set_default_passwd_cb(context->ssl, no_password);
  SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context->ssl, CIPHERS);
  // HTTP says itself where a message ends, so FIN without close_notify is no more than an end.
  SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                        SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Buffers of idle connections are let go; the caller's buffer may move between two tries.
  SSL_CTX_set_mode(context->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                     SSL_MODE_RELEASE_BUFFERS);
  // One call of recv for a record instead of two.
  SSL_CTX_set_read_ahead(context->ssl, 1);
  // Resumption by tickets alone: nothing is kept for clients that are gone.
  SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
  return context;
}

static struct tls_context *identify(struct tls_context *context, const char *certificate,
                                    const char *key, struct tls_fault *fault) {
  if (SSL_CTX_use_certificate_chain_file(context->ssl, certificate) != 1)
    return fail(context, fault, TLS_FAULT_CERTIFICATE);
  if (SSL_CTX_use_PrivateKey_file(context->ssl, key, SSL_FILETYPE_PEM) != 1) {
    bool is_other = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
    return fail(context, fault, is_other ? TLS_FAULT_PAIR : TLS_FAULT_KEY);
  }
  if (SSL_CTX_check_private_key(context->ssl) != 1) return fail(context, fault, TLS_FAULT_PAIR);
  return context;
}

struct tls_context *tls_server_context(const char *certificate, const char *key,
                                       const char *client_ca, struct tls_fault *fault) {
  struct tls_context *context = context_new(true, fault);
  if (!context) return NULL;
  SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, NULL);
  if (client_ca) {
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(client_ca);
    SSL_CTX_set_client_CA_list(context->ssl, names);
    if (!names || SSL_CTX_load_verify_locations(context->ssl, client_ca, NULL) != 1)
      return fail(context, fault, TLS_FAULT_CLIENT_CA);
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    // A ticket holds who the client was: it is good for this service only.
    static const unsigned char service[] = "bert-server";
    SSL_CTX_set_session_id_context(context->ssl, service, sizeof service - 1);
  }
  return identify(context, certificate, key, fault);
}

struct tls_context *tls_client_context(struct tls_fault *fault) {
  struct tls_context *context = context_new(false, fault);
  if (!context) return NULL;
  // Without such files nobody is trusted, and the handshake says so.
  SSL_CTX_set_default_verify_paths(context->ssl);
  SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
  return context;
}

struct tls_context *tls_unverified_client_context(const char *certificate, const char *key,
                                                  struct tls_fault *fault) {
  struct tls_context *context = context_new(false, fault);
  if (!context) return NULL;
  SSL_CTX_set_verify(context->ssl, SSL_VERIFY_NONE, NULL);
  return certificate && key ? identify(context, certificate, key, fault) : context;
}

void tls_context_free(struct tls_context *context) {
  SSL_CTX_free(context->ssl);
  free(context);
}
