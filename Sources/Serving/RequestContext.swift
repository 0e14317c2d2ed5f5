import HTTP
import HTTPTypes
import JSON

/// What is known of a request from its head to its end, whatever that is.
final class RequestContext: HandledRequest {
  /// Without the base path.
  let head: HTTPRequest
  let service: Service
  /// Or why there is none.
  private let match: Result<Route.Match, ServiceError>
  private let state: Locked<State>

  private struct State {
    var record: RequestRecord
    /// Whether middleware has been told of the end.
    var isOver = false
  }

  convenience init(
    _ head: HTTPRequest, remoteAddress: String, receivedAt: ContinuousClock.Instant,
    of service: Service
  ) {
    self.init(
      head, Result { () throws(ServiceError) in try service.router.find(head) }, remoteAddress,
      receivedAt, service)
  }

  /// Of what never became a request.
  convenience init(_ part: RequestPart, of service: Service) {
    let path = service.basePath.taken(from: part.path ?? "/")
    self.init(
      HTTPRequest(
        method: part.method ?? .get, scheme: nil, authority: nil, path: path,
        headerFields: part.fields),
      .failure(.unknownRoute(path: path)), part.remoteAddress, .now, service)
    note { $0.method = part.method?.rawValue ?? "none" }
  }

  private init(
    _ head: HTTPRequest, _ match: Result<Route.Match, ServiceError>, _ remoteAddress: String,
    _ beganAt: ContinuousClock.Instant, _ service: Service
  ) {
    self.head = head
    self.service = service
    self.match = match
    state = Locked(
      State(
        record: RequestRecord(
          id: Self.id(head.headerFields[.requestID]), method: Router.knownMethod(head.method),
          route: (try? match.get())?.route.path ?? "none", status: 0, remoteAddress: remoteAddress,
          beganAt: beganAt, trace: head.headerFields[.traceParent].flatMap(TraceParent.init))))
  }

  /// Nil if there is none for it.
  var route: Route? { try? match.get().route }

  private var errors: ErrorShape { route?.errors ?? service.router.errors(at: head.path ?? "/") }

  // MARK: - HandledRequest

  var isHealthCheck: Bool { route?.access == .healthCheck }

  func examine() -> Examination {
    do throws(ServiceError) {
      let route = try match.get().route
      for middleware in service.middleware { try middleware.admit(self, to: route) }
      guard route.takesBody else { return .discardBody }
      _ = try contentCoding()
      if let type = head.headerFields[.contentType] {
        let known = ContentType(field: type)
        guard let known, known == .unstated || route.accepts.contains(known) else {
          throw .unsupportedContentType(
            RawText(type).description,
            accepted: route.accepts.map(\.name).joined(separator: ", "))
        }
      }
      try service.checkIsReady()
      return .readBody
    } catch {
      return .refuse(complete(OutgoingAnswer(response: errors.response(error))))
    }
  }

  func handle(_ request: Request, _ responder: Responder) {
    switch match {
    case .success(let match):
      match.route.answer(Exchange(request, responder, match, self))
    case .failure(let error):
      responder.respond(complete(OutgoingAnswer(response: errors.response(error))))
    }
  }

  /// The status that the log and the metrics have for a client that went away (nginx's 499).
  private static let clientClosedRequest = 499

  func abandoned() { end(status: Self.clientClosedRequest) }

  func failed(_ failure: HTTPFailure) -> Response {
    note { $0.failure = failure.message }
    var response = errors.response(
      ErrorShape.Failure(status: failure.status, type: "Validation", message: failure.message))
    response.fields[.retryAfter] = failure.retryAfter.map { String($0) }
    return complete(OutgoingAnswer(response: response))
  }

  func contentCoding() throws(ServiceError) -> ContentCoding? {
    do throws(ContentCodingError) {
      return try ContentCoding(field: head.headerFields[.contentEncoding])
    } catch {
      throw ServiceError(error)
    }
  }

  // MARK: - The record

  /// Notes what is known by now; nothing once the request is over.
  func note(_ change: (inout RequestRecord) -> Void) {
    state.withLock { change(&$0.record) }
  }

  /// An answer as it is sent. The request is over with it, or with the end of its stream.
  func complete(_ answer: OutgoingAnswer) -> Response {
    var answer = answer
    for middleware in service.middleware {
      do {
        try middleware.complete(&answer, to: self)
      } catch {
        if case .stream(let source, _) = answer.response.body { source.abandon() }
        answer.response = errors.response(error)
      }
    }
    let status = answer.response.status.code
    let record = answered(status)
    if case .stream(let source, let length) = answer.response.body, head.method != .head {
      answer.response.body = .stream(
        StreamedAnswer(source) { end in
          switch end {
          case .whole: self.end(status: status)
          case .failed: self.end(status: HTTPResponse.Status.internalServerError.code)
          case .abandoned: self.end(status: Self.clientClosedRequest)
          }
        }, length: length)
    } else {
      end(status: status)
    }
    answer.response.fields[.requestID] = record.id
    answer.response.fields[.traceParent] = record.trace?.field
    answer.response.fields[.ignoredMembers] = record.ignored.field
    if record.truncated > 0 {
      answer.response.fields[.truncatedTexts] = String(record.truncated)
    }
    if record.texts > 0 {
      answer.response.fields[.serverTiming] = record.stages.serverTiming
      if let fields = route?.recordFields(record) {
        answer.response.fields.append(contentsOf: fields)
      }
    }
    return answer.response
  }

  /// Notes the status and the time of the answer's head.
  private func answered(_ status: Int) -> RequestRecord {
    state.withLock { state in
      if state.record.status == 0 {
        state.record.status = status
        state.record.stages.total = ContinuousClock.now - state.record.beganAt
      }
      return state.record
    }
  }

  private func end(status: Int) {
    _ = answered(status)
    let record: RequestRecord? = state.withLock { state in
      if state.isOver { return nil }
      state.isOver = true
      state.record.status = status
      return state.record
    }
    if let record { for middleware in service.middleware { middleware.ended(record) } }
  }

  /// The client's own id if it is short and plain, else a random one.
  private static func id(_ given: String?) -> String {
    if let given, (1...128).contains(given.utf8.count),
      given.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    {
      return given
    }
    return String(UInt64.random(in: UInt64(1) << 60 ... .max), radix: 16)
  }
}
