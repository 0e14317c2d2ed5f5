package import HTTP
package import JSON

/// One request on its way through the routes: answered once, and recorded when it is.
package final class Exchange: Sendable {
  /// Without its body.
  package let request: Request
  /// Bytes of the body as it was sent.
  let bodySize: Int
  /// What stands in the places of the route's path.
  package let parameters: [String: RawText]
  package let service: Service
  let context: RequestContext
  private let route: Route
  private let responder: Responder
  private let body: Locked<[UInt8]>
  private let deadline: Locked<ContinuousClock.Instant>

  init(
    _ request: Request, _ responder: Responder, _ match: Route.Match, _ context: RequestContext
  ) {
    var request = request
    request.head = context.head
    body = Locked(request.body)
    bodySize = request.body.count
    request.body = []
    self.request = request
    self.context = context
    service = context.service
    deadline = Locked(request.receivedAt + service.limits.requestTimeout)
    self.responder = responder
    parameters = match.parameters
    route = match.route
    responder.onCancel { context.abandoned() }
  }

  /// What to ask for instead of an answer that is too large.
  package var smallerAnswer: String { route.errors.smallerAnswer }

  var queryNames: [RawText] { route.documentation.queryNames }

  /// Notes what is known by now; nothing once the answer is on its way.
  package func note(_ change: (inout RequestRecord) -> Void) { context.note(change) }

  /// The body as it was sent; empty from then on, so that it is not kept longer than it is read.
  func takeBody() -> [UInt8] {
    body.withLock { body in
      var taken: [UInt8] = []
      swap(&taken, &body)
      return taken
    }
  }

  // MARK: Time and memory

  /// By when the answer is due.
  package var due: ContinuousClock.Instant { deadline.withLock { $0 } }

  package func setTimeout(_ timeout: Duration) {
    deadline.withLock { $0 = request.receivedAt + timeout }
  }

  /// Nobody waits for the answer any more.
  var isOver: Bool { responder.isCancelled || due <= .now }

  /// - Throws: `deadlinePassed`, also for a client that is gone, who gets no answer.
  package func checkIsWanted() throws(ServiceError) {
    if isOver { throw .deadlinePassed }
  }

  /// From now on the request holds so many bytes of memory.
  ///
  /// - Throws: `answerTooLarge` if it never could, `outOfMemoryBudget` if it cannot now.
  package func hold(_ bytes: Int) throws(ServiceError) {
    guard request.memory.resize(to: bytes) else { throw noRoom(for: bytes) }
  }

  /// Holds so many bytes more.
  package func holdMore(_ bytes: Int) throws(ServiceError) {
    guard request.memory.grow(by: bytes) else { throw noRoom(for: request.memory.bytes + bytes) }
  }

  /// What a tokenizer asks before it reads on; see `TextReading`.
  package func reading() -> TextReading { TextReading(self) }

  fileprivate func noRoom(for bytes: Int) -> ServiceError {
    guard bytes > request.memory.limit else { return .outOfMemoryBudget }
    return .answerTooLarge(
      "the request needs about \(bytes) bytes of memory and one request may use "
        + "\(request.memory.limit) (max_buffered_bytes); \(smallerAnswer)")
  }

  // MARK: The answer

  package func onCancel(_ action: @escaping @Sendable () -> Void) { responder.onCancel(action) }

  /// - Parameter keptGzip: the body compressed, of an answer that is kept and shared by all requests.
  package func answer(
    _ response: Response, _ bulk: AnswerBulk = .text, keptGzip: [UInt8]? = nil
  ) {
    var response = context.complete(
      OutgoingAnswer(response: response, bulk: bulk, keptGzip: keptGzip, memory: request.memory))
    response.memory = request.memory
    responder.respond(response)
  }

  package func fail(_ error: ServiceError) { answer(route.errors.response(error)) }

  /// That there is no such route as the request's path.
  package var unknownRoute: ServiceError { service.router.unknownRoute(Router.path(request.head)) }
}

/// Memory that a text takes while it is tokenized, given back when this is.
package final class TextReading: Sendable {
  private let exchange: Exchange
  private let bytes = Locked((held: 0, lacking: 0))

  fileprivate init(_ exchange: Exchange) { self.exchange = exchange }

  deinit { exchange.request.memory.shrink(by: bytes.withLock { $0.held }) }

  package func mayRead(_ memory: Int) -> Bool {
    if exchange.isOver { return false }
    if memory == 0 { return true }
    return bytes.withLock { bytes in
      guard exchange.request.memory.grow(by: memory) else {
        bytes.lacking = memory
        return false
      }
      bytes.held += memory
      return true
    }
  }

  /// Why reading was stopped.
  package var failure: ServiceError {
    let lacking = bytes.withLock { $0.lacking }
    return lacking == 0
      ? .deadlinePassed : exchange.noRoom(for: exchange.request.memory.bytes + lacking)
  }
}
