public import HTTPTypes

/// What is behind the server. All of it is called on I/O queues, which serve many connections: it
/// must not block.
public protocol RequestHandler: Sendable {
  /// A request's head is whole.
  ///
  /// - Parameter receivedAt: when its first byte was read.
  /// - Returns: what the server asks and tells of the request from here to its end.
  func begin(
    _ head: HTTPRequest, remoteAddress: String, receivedAt: ContinuousClock.Instant
  ) -> any HandledRequest
  /// The answer to what never became a request. The status should be the failure's.
  func malformed(_ failure: HTTPFailure, _ part: RequestPart) -> Response
}

/// One request, from its head to its end.
public protocol HandledRequest: Sendable {
  /// Whether it asks for the process's health. Such requests are answered even by a server that has no
  /// room for others.
  var isHealthCheck: Bool { get }
  /// Asked once, before the body is read; not of a request that the server declines.
  func examine() -> Examination
  /// It is whole; answered through `responder`, at once or later.
  func handle(_ request: Request, _ responder: Responder)
  /// The client has gone before the body was whole: there is nobody to answer.
  func abandoned()
  /// The answer where the server declines the request, its body is too long, too slow or not framed as
  /// it should be, or nobody has answered it.
  func failed(_ failure: HTTPFailure) -> Response
}

/// What was read of a request before it failed.
public struct RequestPart: Sendable {
  public var method: HTTPRequest.Method?
  /// The query too.
  public var path: String?
  public var fields = HTTPFields()
  public var remoteAddress: String
}

/// What becomes of a request whose head is read.
public enum Examination: Sendable {
  /// The body is read and handed on.
  case readBody
  /// The request is handed on without its body, which is read and dropped.
  case discardBody
  /// The answer to a request that is not served (401, 404, 405, 413, 415, …): no `100 Continue` is
  /// sent, the body is not kept.
  case refuse(Response)
}
