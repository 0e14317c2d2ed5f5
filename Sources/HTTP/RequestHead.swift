import HTTPTypes

/// A request's head, with what it says about the bytes around it.
struct RequestHead {
  enum Framing: Equatable {
    case length(Int)
    case chunked
  }

  /// Origin form or `*`; the host (of the target, or else of `Host`) is the authority.
  var request: HTTPRequest
  var framing: Framing
  /// HTTP/1.0: no chunked answer, no 100, closed unless it asked to be kept.
  var isVersion10: Bool
  /// Whether the client means to send another request (RFC 9112 section 9.3).
  var keepsAlive: Bool
  var expectsContinue: Bool
  /// Bytes of memory that the fields take, about.
  var memoryBytes: Int

  var hasBody: Bool { framing != .length(0) }
}
