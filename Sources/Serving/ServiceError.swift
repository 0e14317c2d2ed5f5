public import HTTP
public import HTTPTypes

/// Everything that a route may answer instead of its result, with the one table from failure to
/// status.
public enum ServiceError: Error, Equatable, Sendable {
  /// The request is malformed: a bad parameter, key or body. The parameter is the member of the
  /// body that is to blame, where a protocol tells it.
  case invalid(String, parameter: String? = nil)
  /// Well-formed, but more, less or longer than the model or a limit takes.
  case unprocessable(String)
  /// No texts at all.
  case empty(String)
  /// API keys are set and the request brings none of them.
  case unauthorized(KeyFault)
  /// - Parameter reason: why there is none, where that is known.
  case unknownRoute(path: String, reason: String? = nil)
  case unknownModel(name: String, served: String)
  /// Something else that the path names, in the words of its protocol.
  case notFound(String)
  case methodNotAllowed(method: String, allowed: [HTTPRequest.Method])
  case unsupportedContentType(String, accepted: String)
  case unsupportedContentCoding(ContentCodingError)
  case bodyTooLarge(ContentCodingError)
  /// Accept-Encoding excludes every form of the answer.
  case notAcceptable
  case answerTooLarge(String)
  case overloaded(retryAfter: Int)
  /// The memory that requests may hold is in use.
  case outOfMemoryBudget
  case loading
  case draining
  /// Nothing has been answered for a long time.
  case stalled
  case deadlinePassed
  case backend(String)

  public var status: HTTPResponse.Status {
    switch self {
    case .invalid: .badRequest
    case .unprocessable, .empty: .unprocessableContent
    case .unauthorized: .unauthorized
    case .unknownRoute, .unknownModel, .notFound: .notFound
    case .methodNotAllowed: .methodNotAllowed
    case .unsupportedContentType, .unsupportedContentCoding: .unsupportedMediaType
    case .answerTooLarge, .bodyTooLarge: .contentTooLarge
    case .notAcceptable: .notAcceptable
    case .overloaded: .tooManyRequests
    case .loading, .draining, .stalled, .outOfMemoryBudget: .serviceUnavailable
    case .deadlinePassed: .gatewayTimeout
    case .backend: .internalServerError
    }
  }

  /// `error_type` of the answer; text-embeddings-inference's names where the meaning is the same.
  public var type: String {
    switch self {
    case .invalid, .unprocessable, .answerTooLarge, .bodyTooLarge, .notAcceptable: "Validation"
    case .empty: "Empty"
    case .unauthorized: "Unauthorized"
    case .unknownRoute, .unknownModel, .notFound: "NotFound"
    case .methodNotAllowed: "MethodNotAllowed"
    case .unsupportedContentType, .unsupportedContentCoding: "UnsupportedMediaType"
    case .overloaded, .outOfMemoryBudget: "Overloaded"
    case .loading, .draining, .stalled: "Unhealthy"
    case .deadlinePassed: "Timeout"
    case .backend: "Backend"
    }
  }

  /// What happened and what to change.
  public var message: String {
    switch self {
    case .invalid(let message, _), .unprocessable(let message), .empty(let message),
      .answerTooLarge(let message), .backend(let message), .notFound(let message):
      message
    case .unauthorized(let fault): fault.message
    case .unknownRoute(let path, let reason):
      reason.map { "there is no \(path): \($0)" }
        ?? "there is no route \(path); /openapi.json lists those there are"
    case .unknownModel(let name, let served):
      "there is no model '\(name)'; this server has \(served), and other names for them if it is "
        + "started with --served-model-name"
    case .methodNotAllowed(let method, let allowed):
      "\(method) is not allowed here; use \(Self.list(allowed))"
    case .unsupportedContentType(let type, let accepted):
      "the content type '\(type)' is not understood; send \(accepted), in UTF-8"
    case .unsupportedContentCoding(let error), .bodyTooLarge(let error): error.description
    case .notAcceptable:
      "Accept-Encoding excludes the answer as it is, and gzip too or it is not offered: allow one"
    case .overloaded(let retryAfter):
      "the queue is full; try again in \(retryAfter) s, or send fewer or shorter texts at once"
    case .outOfMemoryBudget: HTTPFailure.outOfMemoryBudget.message
    case .loading: "the model is being loaded; try again in a moment"
    case .draining: "the server is stopping; send the request to another one"
    case .stalled: "requests wait and none has been answered for 30 s; see the log, or restart it"
    case .deadlinePassed:
      "the request's deadline passed before its answer was ready and its work was dropped; send fewer "
        + "texts, or allow more time (timeout_ms on /encode, timeout on KServe's routes, the server's "
        + "request_timeout_seconds elsewhere)"
    }
  }

  /// Fields that the status asks for (RFC 9110 §10.2.1, §10.2.3, §12.5).
  package var fields: HTTPFields {
    var fields = HTTPFields()
    switch self {
    case .unauthorized(let fault): fields[.wwwAuthenticate] = fault.challenge
    case .methodNotAllowed(_, let allowed): fields[.allow] = Self.list(allowed)
    case .unsupportedContentType(_, let accepted): fields[.accept] = accepted
    case .unsupportedContentCoding: fields[.acceptEncoding] = ContentCoding.accepted
    case .overloaded(let retryAfter): fields[.retryAfter] = String(retryAfter)
    case .loading, .outOfMemoryBudget: fields[.retryAfter] = "1"
    case .draining, .stalled: fields[.retryAfter] = "5"
    default: break
    }
    return fields
  }

  /// Shorter than any Retry-After, so that a client that heeds it never notices, and than what another
  /// client would mind, whose request a proxy may send down the same connection.
  var pause: Duration {
    switch self {
    case .overloaded, .outOfMemoryBudget: .milliseconds(500)
    default: .zero
    }
  }

  /// The member of the body that is to blame, where that is known.
  package var parameter: String? {
    if case .invalid(_, let parameter) = self { parameter } else { nil }
  }

  private static func list(_ methods: [HTTPRequest.Method]) -> String {
    methods.map(\.rawValue).joined(separator: ", ")
  }
}

extension ServiceError {
  init(_ error: ContentCodingError) {
    switch error {
    case .unknown, .several: self = .unsupportedContentCoding(error)
    case .tooLong, .tooDense: self = .bodyTooLarge(error)
    case .noRoom: self = .outOfMemoryBudget
    case .broken: self = .invalid(error.description)
    case .outOfMemory: self = .backend(error.description)
    }
  }
}

extension Response {
  package static func json(
    _ bytes: [UInt8], status: HTTPResponse.Status = .ok, fields: HTTPFields = [:]
  ) -> Response {
    var fields = fields
    fields[.contentType] = "application/json"
    return Response(status: status, fields: fields, body: .bytes(bytes))
  }
}
