public import HTTP
public import Settings

/// The files that TLS needs, read again when they change.
public struct CertificateFiles: Sendable {
  private let certificate: String
  private let key: String
  private let clientAuthorities: String?
  private let watcher: FileWatcher

  /// Nil without TLS.
  public init?(_ settings: Settings) {
    if settings.tlsCertificate.isEmpty { return nil }
    certificate = settings.tlsCertificate
    key = settings.tlsKey
    clientAuthorities = settings.tlsClientCA.isEmpty ? nil : settings.tlsClientCA
    watcher = FileWatcher([certificate, key, clientAuthorities].compactMap(\.self))
  }

  public func load() throws(TLSError) -> TLSContext {
    try TLSContext(certificate: certificate, key: key, clientAuthorities: clientAuthorities)
  }

  /// Reads the files again, changed or not.
  public func renew() { watcher.renew() }

  /// From now on new connections of the server get what the files hold by then. The keys of session
  /// tickets live as long as a context, so a new one is made now and then.
  public func watch(_ server: Server, _ log: Log) {
    watcher.start(isRenewing: true) {
      do throws(TLSError) {
        server.renew(try load())
        log.info("TLS: certificate and key reloaded")
      } catch {
        log.warning("TLS: reload failed, still using the previous certificate and key: \(error)")
      }
    }
  }
}
