import COpenSSL
import Synchronization

/// A server's certificate, key and demands on clients: TLS 1.2 and 1.3, ALPN `http/1.1`, ciphers
/// with forward secrecy only, no renegotiation.
///
/// `@unchecked Sendable`: nothing changes after `init`; libssl counts the references that sessions of
/// several queues take, with atomics.
@safe
public final class TLSContext: @unchecked Sendable {
  let context: OpaquePointer

  /// - Parameters:
  ///   - certificate: path of a PEM file, the server's own certificate first, then its chain.
  ///   - key: path of a PEM file, the key of the first certificate, without a password.
  ///   - clientAuthorities: path of a PEM file; if given, a client must show a certificate of one
  ///     of these authorities.
  public init(
    certificate: String, key: String, clientAuthorities: String? = nil
  ) throws(TLSError) {
    var fault = tls_fault()
    let context =
      if let clientAuthorities {
        unsafe tls_server_context(certificate, key, clientAuthorities, &fault)
      } else {
        unsafe tls_server_context(certificate, key, nil, &fault)
      }
    guard let context = unsafe context else {
      // The C ended the text by 0.
      let reason = unsafe withUnsafeBytes(of: fault.reason) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      switch fault.what {
      case TLS_FAULT_CERTIFICATE: throw .certificate(path: certificate, reason: reason)
      case TLS_FAULT_KEY: throw .key(path: key, reason: reason)
      case TLS_FAULT_PAIR: throw .notAPair(certificate: certificate, key: key)
      case TLS_FAULT_CLIENT_CA:
        throw .clientAuthorities(path: clientAuthorities ?? "", reason: reason)
      default: throw .outOfMemory
      }
    }
    unsafe self.context = context
  }

  deinit {
    unsafe tls_context_free(context)
  }
}

/// Why there is no TLS.
public enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
  case certificate(path: String, reason: String)
  case key(path: String, reason: String)
  case notAPair(certificate: String, key: String)
  case clientAuthorities(path: String, reason: String)
  case outOfMemory

  public var description: String {
    switch self {
    case .certificate(let path, let reason):
      "\(path) is no certificate in PEM form that can be used (\(reason))"
    case .key(let path, let reason):
      "\(path) is no private key in PEM form, without a password (\(reason))"
    case .notAPair(let certificate, let key):
      "the key \(key) is not that of the certificate \(certificate)"
    case .clientAuthorities(let path, let reason):
      "\(path) holds no certificates of authorities in PEM form (\(reason))"
    case .outOfMemory: "there is no memory left for TLS"
    }
  }
}

/// The context of new connections, which may be replaced while a server runs.
final class TLSSlot: Sendable {
  private let context: Mutex<TLSContext>

  init(_ context: TLSContext) {
    self.context = Mutex(context)
  }

  var current: TLSContext { context.withLock { $0 } }

  func renew(_ context: TLSContext) { self.context.withLock { $0 = context } }
}
