/// TLS 1.2 and 1.3 over a socket, by libssl (OpenSSL 3): the few calls that a connection makes.
/// A session is used by one thread at a time; a context may make sessions from any.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_context;
struct tls_session;

/// Why there is no context.
struct tls_fault {
  enum {
    TLS_FAULT_CERTIFICATE = 1,
    TLS_FAULT_KEY,
    /// Certificate and key do not belong together.
    TLS_FAULT_PAIR,
    TLS_FAULT_CLIENT_CA,
    TLS_FAULT_MEMORY,
  } what;
  /// libssl's own words, ended by 0.
  char reason[200];
};

/// What `tls_receive` and `tls_send` return instead of a number of bytes.
enum {
  /// The other end has sent its last byte.
  TLS_END = 0,
  TLS_WOULD_BLOCK = -1,
  /// The session cannot be used any more.
  TLS_FAILED = -2,
  /// The first byte is a capital letter: HTTP without TLS. Nothing was answered.
  TLS_PLAIN_HTTP = -3,
};

/// A server's side, from PEM files: the chain of certificates, the key of the first, and, if given,
/// the authorities of which a client must show a certificate. Returns NULL and the fault.
struct tls_context *_Nullable tls_server_context(const char *_Nonnull certificate,
                                                 const char *_Nonnull key,
                                                 const char *_Nullable client_ca,
                                                 struct tls_fault *_Nonnull fault);

/// A client's side that trusts the authorities the system trusts: OpenSSL's folder of them, or
/// SSL_CERT_FILE and SSL_CERT_DIR. `tls_expect` says whose certificate each session wants.
struct tls_context *_Nullable tls_client_context(struct tls_fault *_Nonnull fault);

/// A client's side that does NOT verify whom it talks to: for a server on the same host. The files
/// are what it shows if it is asked who it is.
struct tls_context *_Nullable tls_unverified_client_context(const char *_Nullable certificate,
                                                            const char *_Nullable key,
                                                            struct tls_fault *_Nonnull fault);

/// Sessions that were made live on.
void tls_context_free(struct tls_context *_Nonnull context);

/// A session on a connected socket, which stays the caller's. The handshake is part of the first
/// transfers. Returns NULL without memory.
struct tls_session *_Nullable tls_session_new(struct tls_context *_Nonnull context, int socket);
void tls_session_free(struct tls_session *_Nonnull session);

/// Whose certificate a client's session wants to see, a name or an IP address; also tells the server,
/// which may have several. False without memory.
bool tls_expect(struct tls_session *_Nonnull session, const char *_Nonnull host);

/// Returns a number of bytes above 0, or one of the above.
ssize_t tls_receive(struct tls_session *_Nonnull session, void *_Nonnull bytes, size_t count);

/// Whether nothing is left to receive, neither here nor in the socket, for now.
bool tls_is_read_up(const struct tls_session *_Nonnull session);

/// Sends two runs of bytes as far as the socket takes them, some hundred KB at most. After
/// TLS_WOULD_BLOCK or a part the next call must begin with the bytes that were not taken. Returns a
/// number of bytes above 0, or one of the above.
ssize_t tls_send(struct tls_session *_Nonnull session, const void *_Nullable first,
                 size_t first_count, const void *_Nullable second, size_t second_count);

/// Whether the socket took no more at the last `tls_send`.
bool tls_is_full(const struct tls_session *_Nonnull session);

/// Whether the last transfer, which would block, waits until the socket takes bytes and not until it has
/// some.
bool tls_wants_write(const struct tls_session *_Nonnull session);

/// Tells the other end that nothing follows (close_notify), if there is a session to say it in.
void tls_end_output(struct tls_session *_Nonnull session);

/// Whether both ends have agreed on keys.
bool tls_is_established(const struct tls_session *_Nonnull session);

/// Whether a client's session failed because of the server's certificate; `tls_reason` says why.
bool tls_is_distrusted(const struct tls_session *_Nonnull session);

/// Why the last transfer failed, in libssl's words.
const char *_Nonnull tls_reason(const struct tls_session *_Nonnull session);

#endif
