import HTTP
import HTTPTypes
import JSON

/// What became of one request, for the log and the metrics.
public struct RequestRecord: Sendable {
  public var id: String
  public var method: String
  /// The route's path, not the request's: paths a client makes up are not kept.
  public var route: String
  public var status: Int
  public var remoteAddress: String
  /// Why it never became a request; empty for others.
  public var failure = ""
  /// The caller's trace, if it sent one that is well-formed.
  public var trace: TraceParent?
  /// Empty for what concerns no model.
  public var model = ""
  public var texts = 0
  public var tokens = 0
  public var truncated = 0
  var ignored = MemberNames()
  public var stages = Stages()

  /// Where the time of a request went; zero for a stage that it did not pass.
  public struct Stages: Sendable {
    public var tokenize: Duration = .zero
    public var queue: Duration = .zero
    public var encode: Duration = .zero
    public var serialize: Duration = .zero
    public var total: Duration = .zero
    /// When the parsing began.
    var tokenizeBegan = ContinuousClock.now
  }
}

/// One request on its way through the routes: answered once, and recorded when it is.
final class Exchange: Sendable {
  /// Without its body.
  let request: Request
  /// Bytes of the body as it was sent.
  let bodySize: Int
  let id: String
  /// What stands in the places of the route's path.
  let parameters: [String: RawText]
  private let route: Route
  private let responder: Responder
  private let record: Locked<RequestRecord>
  private let responseHeaders: ResponseHeaders
  /// Called once, with what became of the request.
  private let finished: @Sendable (RequestRecord) -> Void
  private let body: Locked<[UInt8]>
  private let deadline: Locked<ContinuousClock.Instant>

  init(
    _ request: Request, _ responder: Responder, _ match: Route.Match,
    responseHeaders: ResponseHeaders,
    timeout: Duration, finished: @escaping @Sendable (RequestRecord) -> Void
  ) {
    var request = request
    body = Locked(request.body)
    bodySize = request.body.count
    request.body = []
    self.request = request
    deadline = Locked(request.receivedAt + timeout)
    self.responder = responder
    self.responseHeaders = responseHeaders
    self.finished = finished
    parameters = match.parameters
    route = match.route
    id = Self.id(request.head.headerFields[.requestID])
    record = Locked(
      RequestRecord(
        id: id, method: request.head.method.rawValue, route: match.route.path, status: 0,
        remoteAddress: request.remoteAddress,
        trace: request.head.headerFields[.traceParent].flatMap(TraceParent.init)))
    responder.onCancel { [weak self] in self?.finish(status: Self.clientClosedRequest) }
  }

  /// The status that the log and the metrics have for a client that went away (nginx's 499).
  static let clientClosedRequest = 499

  /// Without the query.
  var path: String { Route.path(request.head) }

  /// What to ask for instead of an answer that is too large.
  var smallerAnswer: String { route.errors.smallerAnswer }

  var queryNames: [RawText] { route.documentation.queryNames }

  /// Notes what is known by now; nothing once the answer is on its way.
  func note(_ change: (inout RequestRecord) -> Void) {
    record.withLock { change(&$0) }
  }

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
  var due: ContinuousClock.Instant { deadline.withLock { $0 } }

  func setTimeout(_ timeout: Duration) {
    deadline.withLock { $0 = request.receivedAt + timeout }
  }

  /// Nobody waits for the answer any more.
  var isOver: Bool { responder.isCancelled || due <= .now }

  /// - Throws: `deadlinePassed`, also for a client that is gone, who gets no answer.
  func checkIsWanted() throws(ServiceError) {
    if isOver { throw .deadlinePassed }
  }

  /// From now on the request holds so many bytes of memory.
  ///
  /// - Throws: `answerTooLarge` if it never could, `outOfMemoryBudget` if it cannot now.
  func hold(_ bytes: Int) throws(ServiceError) {
    guard request.memory.resize(to: bytes) else { throw noRoom(for: bytes) }
  }

  /// Holds so many bytes more.
  func holdMore(_ bytes: Int) throws(ServiceError) {
    guard request.memory.grow(by: bytes) else { throw noRoom(for: request.memory.bytes + bytes) }
  }

  /// What a tokenizer asks before it reads on; see `TextReading`.
  func reading() -> TextReading { TextReading(self) }

  fileprivate func noRoom(for bytes: Int) -> ServiceError {
    guard bytes > request.memory.limit else { return .outOfMemoryBudget }
    return .answerTooLarge(
      "the request needs about \(bytes) bytes of memory and one request may use "
        + "\(request.memory.limit) (max_buffered_bytes); \(smallerAnswer)")
  }

  // MARK: The answer

  func onCancel(_ action: @escaping @Sendable () -> Void) { responder.onCancel(action) }

  /// - Parameter keptGzip: the body compressed, of an answer that is kept and shared by all requests.
  func answer(_ response: Response, _ bulk: AnswerBulk = .text, keptGzip: [UInt8]? = nil) {
    var response = response
    let isCompressed = responseHeaders.compressed.apply(
      to: &response, bulk, request.head.headerFields[.acceptEncoding], keptGzip: keptGzip,
      memory: request.memory)
    if !isCompressed || keptGzip == nil && !holds(response) {
      if case .stream(let source, _) = response.body { source.abandon() }
      response = route.errors.response(.outOfMemoryBudget)
    }
    responseHeaders.crossOrigin.apply(to: &response, request.head)
    response.memory = request.memory
    // First: the process may end as soon as its last answer is out.
    let record = finish(status: response.status.code)
    response.fields[.requestID] = id
    response.fields[.traceParent] = record.trace?.field
    response.fields[.ignoredMembers] = record.ignored.field
    if record.truncated > 0 { response.fields[.truncatedTexts] = String(record.truncated) }
    if record.texts > 0 {
      response.fields[.serverTiming] = record.stages.serverTiming
      if case .tei = route.errors { response.fields.append(contentsOf: record.computeFields) }
    }
    responder.respond(response)
  }

  /// Whether the answer's bytes are held against the budget; small ones need not be.
  private func holds(_ response: Response) -> Bool {
    guard case .bytes(let bytes) = response.body else { return true }
    let lacking = bytes.count - request.memory.bytes
    return bytes.count <= Self.uncountedBytes || lacking <= 0 || request.memory.grow(by: lacking)
  }

  private static let uncountedBytes = 4096

  @discardableResult
  private func finish(status: Int) -> RequestRecord {
    let (isFirst, record) = record.withLock { record in
      let isFirst = record.status == 0
      if isFirst {
        record.status = status
        record.stages.total = ContinuousClock.now - request.receivedAt
      }
      return (isFirst, record)
    }
    if isFirst { finished(record) }
    return record
  }

  func fail(_ error: ServiceError) { answer(route.errors.response(error)) }

  /// The client's own id if it is short and plain, else a random one.
  static func id(_ given: String?) -> String {
    if let given, (1...128).contains(given.utf8.count),
      given.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    {
      return given
    }
    return String(UInt64.random(in: UInt64(1) << 60 ... .max), radix: 16)
  }
}

/// Memory that a text takes while it is tokenized, given back when this is.
final class TextReading: Sendable {
  private let exchange: Exchange
  private let bytes = Locked((held: 0, lacking: 0))

  fileprivate init(_ exchange: Exchange) { self.exchange = exchange }

  deinit { exchange.request.memory.shrink(by: bytes.withLock { $0.held }) }

  func mayRead(_ memory: Int) -> Bool {
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
  var failure: ServiceError {
    let lacking = bytes.withLock { $0.lacking }
    return lacking == 0
      ? .deadlinePassed : exchange.noRoom(for: exchange.request.memory.bytes + lacking)
  }
}

extension RequestRecord {
  /// The first names of body members that had no effect.
  public var ignoredNames: [String] { ignored.shownNames }
}

extension RequestRecord.Stages {
  /// The Server-Timing field (W3C Server Timing): milliseconds by stage.
  var serverTiming: String {
    [
      ("tokenize", tokenize), ("queue", queue), ("encode", encode), ("serialize", serialize),
      ("total", total),
    ]
    .map { "\($0.0);dur=\($0.1.millisecondsText)" }
    .joined(separator: ", ")
  }
}

extension Duration {
  /// Seconds.
  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }

  /// Milliseconds with three decimals; 0 for a negative duration.
  var millisecondsText: String {
    let microseconds = max(
      0, components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000)
    let thousandths = String(microseconds % 1000)
    return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - thousandths.count)
      + thousandths
  }
}

extension HTTPField.Name {
  static let requestID = Self("x-request-id")!
  /// Members of the body that had no effect.
  static let ignoredMembers = Self("x-ignored-members")!
  /// How many of the request's texts were cut to the limit of tokens.
  static let truncatedTexts = Self("x-truncated-texts")!
  static let serverTiming = Self("server-timing")!
  static let traceParent = Self("traceparent")!
}
