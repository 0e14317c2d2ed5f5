import HTTP

/// One concern of every request, whatever becomes of it: answered, refused, malformed, or left by its
/// client. Called on any thread.
protocol Middleware: Sendable {
  /// Whether a request may go on that has a route, as far as its head tells.
  func admit(_ context: RequestContext, to route: Route) throws(ServiceError)
  /// Completes an answer on its way out. If it throws, that failure is the answer, and what comes after
  /// this middleware completes it.
  func complete(_ answer: inout OutgoingAnswer, to context: RequestContext) throws(ServiceError)
  /// The request is over. Called once, before the answer is sent, or the end of a stream: the process
  /// may end as soon as its last one is out.
  func ended(_ record: RequestRecord)
}

extension Middleware {
  func admit(_ context: RequestContext, to route: Route) throws(ServiceError) {}
  func complete(_ answer: inout OutgoingAnswer, to context: RequestContext) throws(ServiceError) {}
  func ended(_ record: RequestRecord) {}
}

/// A response on its way out, with what middleware has to know of it.
package struct OutgoingAnswer {
  var response: Response
  var bulk = AnswerBulk.text
  /// The body compressed, of an answer that is kept and shared by all requests.
  var keptGzip: [UInt8]?
  /// The request's, whose bytes the answer holds; nil for a request that is refused.
  var memory: MemoryReservation?
}

/// One line a request.
struct RequestLog: Middleware {
  let write: @Sendable (RequestRecord) -> Void

  func ended(_ record: RequestRecord) { write(record) }
}
