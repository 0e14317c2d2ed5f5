public import HTTPTypes

/// Why a request is not handed on: what the parser, a deadline or a limit found.
public enum HTTPFailure: Error, Equatable, Sendable {
  /// The bytes break RFC 9112's grammar or framing rules; the message names the rule.
  case malformed(String)
  case targetTooLong(limit: Int)
  case fieldTooLong(limit: Int)
  case fieldsTooLong(limit: Int)
  case tooManyFields(limit: Int)
  case bodyTooLong(limit: Int)
  case unknownExpectation
  case unknownMethod
  case unknownTransferCoding
  case unsupportedVersion
  /// The head, or the body, was not whole when its deadline passed.
  case headTimeout
  case bodyTimeout
  /// The memory budget of requests is used up.
  case outOfMemoryBudget
  case tooManyConnections(limit: Int)
  case tooManyConnectionsOfAddress(limit: Int)
  /// The port speaks TLS, and the client does not.
  case plainHTTP
  /// A `Responder` was dropped without an answer.
  case unanswered

  public var status: HTTPResponse.Status {
    switch self {
    case .malformed, .plainHTTP: .badRequest
    case .targetTooLong: .uriTooLong
    case .fieldTooLong, .fieldsTooLong, .tooManyFields: .requestHeaderFieldsTooLarge
    case .bodyTooLong: .contentTooLarge
    case .unknownExpectation: .expectationFailed
    case .unknownMethod, .unknownTransferCoding: .notImplemented
    case .unsupportedVersion: .httpVersionNotSupported
    case .headTimeout, .bodyTimeout: .requestTimeout
    case .tooManyConnections, .outOfMemoryBudget: .serviceUnavailable
    case .tooManyConnectionsOfAddress: .tooManyRequests
    case .unanswered: .internalServerError
    }
  }

  /// What to change.
  public var message: String {
    switch self {
    case .malformed(let message): message
    case .targetTooLong(let limit):
      "the request target is longer than \(limit) bytes (max_target_bytes): shorten it"
    case .fieldTooLong(let limit): "a header field line is longer than \(limit) bytes: shorten it"
    case .fieldsTooLong(let limit):
      "the header fields are longer than \(limit) bytes together (max_header_bytes): send fewer or "
        + "shorter ones"
    case .tooManyFields(let limit):
      "there are more than \(limit) header fields (max_header_count): send fewer"
    case .bodyTooLong(let limit):
      "the body is longer than \(limit) bytes: send it in several requests"
    case .unknownExpectation: "the only expectation served is 100-continue: leave Expect out"
    case .unknownMethod: "the method is not served here: use GET, HEAD, POST or OPTIONS"
    case .unknownTransferCoding: "the only transfer coding served is chunked, alone"
    case .unsupportedVersion: "the protocol version is not served: use HTTP/1.1"
    case .headTimeout:
      "timed out reading the request headers (header_timeout_seconds): send them faster"
    case .bodyTimeout:
      "timed out reading the request body (body_timeout_seconds): send it faster, or in parts"
    case .outOfMemoryBudget:
      "the server's memory for requests is in use (max_buffered_bytes): try again in a second, "
        + "or send less at a time"
    case .tooManyConnections(let limit):
      "connection limit reached (\(limit)): try again later, or reuse connections (max_connections)"
    case .tooManyConnectionsOfAddress(let limit):
      "connection limit of your address reached (\(limit)): reuse connections "
        + "(max_connections_per_address)"
    case .plainHTTP: "this port speaks TLS: ask over https://"
    case .unanswered: "the server lost the request; its log says more"
    }
  }

  /// Seconds after which to try again, where that may help (RFC 9110 section 10.2.3).
  public var retryAfter: Int? {
    switch self {
    case .outOfMemoryBudget, .tooManyConnections, .tooManyConnectionsOfAddress: 1
    default: nil
    }
  }
}
