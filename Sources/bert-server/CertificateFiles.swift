import HTTP
import Settings

/// The files that TLS needs, read again when they change.
struct CertificateFiles {
  private let certificate: String
  private let key: String
  private let clientAuthorities: String?
  private let watcher: FileWatcher

  /// Nil without TLS.
  init?(_ settings: Settings) {
    if settings.tlsCertificate.isEmpty { return nil }
    certificate = settings.tlsCertificate
    key = settings.tlsKey
    clientAuthorities = settings.tlsClientCA.isEmpty ? nil : settings.tlsClientCA
    watcher = FileWatcher([certificate, key, clientAuthorities].compactMap(\.self))
  }

  func load() throws(TLSError) -> TLSContext {
    try TLSContext(certificate: certificate, key: key, clientAuthorities: clientAuthorities)
  }

  /// From now on new connections of the server get what the files hold by then.
  func watch(_ server: Server, _ log: Log) {
    watcher.start {
      do throws(TLSError) {
        server.renew(try load())
        log.info("TLS: the changed files are in use")
      } catch {
        log.warning("TLS: the changed files are not used, the last ones still are: \(error)")
      }
    }
  }
}
