#include "session.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tls_session {
  SSL *ssl;
  int socket;
  /// A byte has come.
  bool has_begun;
  bool is_plain_http;
  /// recv(2) had no more than it gave.
  bool is_drained;
  /// FIN has been read.
  bool is_at_end;
  bool is_full;
  /// libssl wants no further calls after a fatal error.
  bool has_failed;
  /// More bytes follow at once: they may share a packet.
  bool has_more;
  char reason[200];
};

// MARK: The socket as libssl sees it. libssl's own would raise SIGPIPE, and does not tell what is
// read up.

static int socket_write(BIO *bio, const char *bytes, int count) {
  struct tls_session *session = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  ssize_t sent;
  do {
    int more = session->has_more ? MSG_MORE : 0;
    sent = send(session->socket, bytes, (size_t)count, MSG_NOSIGNAL | more);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
  return (int)sent;
}

static int socket_read(BIO *bio, char *bytes, int count) {
  struct tls_session *session = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  ssize_t received;
  do {
    received = recv(session->socket, bytes, (size_t)count, 0);
  } while (received < 0 && errno == EINTR);
  session->is_drained = received < count;
  session->is_at_end = received == 0;
  if (received < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
  if (received > 0 && !session->has_begun) {
    session->has_begun = true;
    // A handshake begins with 22 (RFC 8446 section 5.1), a method with a letter.
    session->is_plain_http = bytes[0] >= 'A' && bytes[0] <= 'Z';
    if (session->is_plain_http) return -1;
  }
  return (int)received;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
  (void)number, (void)pointer;
  struct tls_session *session = BIO_get_data(bio);
  switch (command) {
  case BIO_CTRL_FLUSH: return 1;
  case BIO_CTRL_EOF: return session->is_at_end;
  default: return 0;
  }
}

static BIO_METHOD *method;

static void make_method(void) {
  method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
  if (!method) return;
  BIO_meth_set_write(method, socket_write);
  BIO_meth_set_read(method, socket_read);
  BIO_meth_set_ctrl(method, socket_control);
}

// MARK: Sessions

struct tls_session *tls_session_new(struct tls_context *context, int socket) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_method);
  struct tls_session *session = calloc(1, sizeof *session);
  BIO *bio = method ? BIO_new(method) : NULL;
  SSL *ssl = SSL_new(context->ssl);
  if (!session || !bio || !ssl) {
    SSL_free(ssl);
    BIO_free(bio);
    free(session);
    return NULL;
  }
  session->ssl = ssl;
  session->socket = socket;
  BIO_set_data(bio, session);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  if (context->is_server) SSL_set_accept_state(ssl);
  else SSL_set_connect_state(ssl);
  return session;
}

bool tls_expect(struct tls_session *session, const char *host) {
  X509_VERIFY_PARAM *expected = SSL_get0_param(session->ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1) return true;
  // An address is never sent as a server's name (RFC 6066 section 3).
  return SSL_set_tlsext_host_name(session->ssl, host) == 1 &&
         X509_VERIFY_PARAM_set1_host(expected, host, 0) == 1;
}

void tls_session_free(struct tls_session *session) {
  SSL_free(session->ssl);
  free(session);
}

/// What became of a transfer that returned `result`, which is not above 0.
static ssize_t failure(struct tls_session *session, int result) {
  if (session->is_plain_http) return TLS_PLAIN_HTTP;
  switch (SSL_get_error(session->ssl, result)) {
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE: return TLS_WOULD_BLOCK;
  case SSL_ERROR_ZERO_RETURN: return TLS_END;
  case SSL_ERROR_SSL:
    tls_take_reason(session->reason, sizeof session->reason);
    if (tls_is_distrusted(session))
      snprintf(session->reason, sizeof session->reason, "%s",
               X509_verify_cert_error_string(SSL_get_verify_result(session->ssl)));
    break;
  default:
    if (session->is_at_end) return TLS_END;
    strcpy(session->reason, "the connection was reset");
  }
  session->has_failed = true;
  return TLS_FAILED;
}

ssize_t tls_receive(struct tls_session *session, void *bytes, size_t count) {
  if (session->has_failed) return TLS_FAILED;
  ERR_clear_error();
  size_t received;
  int result = SSL_read_ex(session->ssl, bytes, count, &received);
  return result == 1 ? (ssize_t)received : failure(session, result);
}

bool tls_is_read_up(const struct tls_session *session) {
  return session->is_drained && !SSL_has_pending(session->ssl);
}

ssize_t tls_send(struct tls_session *session, const void *first, size_t first_count,
                 const void *second, size_t second_count) {
  // Then other connections get their turn.
  const size_t most = 1 << 18;
  // A record's worth (RFC 8446 section 5.1).
  const size_t slice = 1 << 14;
  if (session->has_failed) return TLS_FAILED;
  size_t total = first_count + second_count, sent = 0;
  session->is_full = false;
  while (sent < total && sent < most) {
    bool in_first = sent < first_count;
    const char *bytes = in_first ? (const char *)first + sent
                                 : (const char *)second + (sent - first_count);
    size_t left = in_first ? first_count - sent : total - sent;
    size_t count = left < slice ? left : slice;
    session->has_more = sent + count < total;
    ERR_clear_error();
    size_t taken;
    int result = SSL_write_ex(session->ssl, bytes, count, &taken);
    session->has_more = false;
    if (result == 1) {
      sent += taken;
      continue;
    }
    ssize_t reason = failure(session, result);
    session->is_full = reason == TLS_WOULD_BLOCK;
    // What was sent counts; a session that has failed says so again.
    return sent > 0 ? (ssize_t)sent : reason == TLS_END ? TLS_FAILED : reason;
  }
  return (ssize_t)sent;
}

bool tls_is_full(const struct tls_session *session) { return session->is_full; }

bool tls_wants_write(const struct tls_session *session) {
  return SSL_want_write(session->ssl);
}

void tls_end_output(struct tls_session *session) {
  if (session->has_failed || !tls_is_established(session)) return;
  ERR_clear_error();
  SSL_shutdown(session->ssl);
  ERR_clear_error();
}

bool tls_is_established(const struct tls_session *session) {
  return SSL_is_init_finished(session->ssl);
}

bool tls_is_distrusted(const struct tls_session *session) {
  return !SSL_is_server(session->ssl) && SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE &&
         SSL_get_verify_result(session->ssl) != X509_V_OK;
}

const char *tls_reason(const struct tls_session *session) { return session->reason; }
