public import HTTPTypes

/// What is behind the server. All of it is called on I/O queues, which serve many connections: it
/// must not block.
public protocol RequestHandler: Sendable {
  /// Asked of every request once its head is whole and before its body is read. A response refuses
  /// the request (401, 404, 405, 413, 415, …): no `100 Continue` is sent, the body is not kept.
  func refuse(_ head: HTTPRequest) -> Response?
  /// A whole request; answered through `responder`, at once or later.
  func handle(_ request: Request, _ responder: Responder)
  /// The shape of an answer to what never became a request. `path` (with the query) is given if it
  /// was read. The status should be the failure's.
  func malformed(_ failure: HTTPFailure, path: String?) -> Response
}
