/// Why there is no answer, nor will be if the same is asked again.
public enum HTTPClientError: Error, Equatable, Sendable {
  case notAnAddress(String)
  case noHostAndPort(String)
  case outOfMemory
  case late(authority: String, seconds: Int)
  /// `reason`: libssl's.
  case distrusted(authority: String, reason: String)
  case headTooLong(authority: String, limit: Int)
  case answerTooLong(authority: String, limit: Int)
  case malformed(authority: String, part: String)
}

extension HTTPClientError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notAnAddress(let text):
      "--server takes http://HOST:PORT or https://HOST:PORT, not '\(text)'"
    case .noHostAndPort(let text): "'\(text)' has no host and port"
    case .outOfMemory: "there is no memory left for TLS"
    case .late(let authority, let seconds):
      "the service at \(authority) took more than \(seconds) s for a request and its answer"
    case .distrusted(let authority, let reason):
      "the certificate of \(authority) is not trusted: \(reason); if its authority is your own, name "
        + "its file in SSL_CERT_FILE"
    case .headTooLong(let authority, let limit):
      "the service at \(authority) sent an HTTP answer whose head is longer than \(limit) bytes"
    case .answerTooLong(let authority, let limit):
      "the service at \(authority) sent more than the \(limit) bytes that its answer may have"
    case .malformed(let authority, let part):
      "the service at \(authority) sent an HTTP answer with an invalid \(part)"
    }
  }
}
