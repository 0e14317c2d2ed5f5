import HTTP
import HTTPTypes

/// What became of one request, for the log and the metrics.
public struct RequestRecord: Sendable {
  public var id: String
  public var method: String
  /// The route's path, not the request's: paths a client makes up are not kept.
  public var route: String
  public var status: Int
  public var remoteAddress: String
  /// The caller's trace, if it sent one that is well-formed.
  public var trace: TraceParent?
  /// Empty for what concerns no model.
  public var model = ""
  public var texts = 0
  public var tokens = 0
  public var truncated = 0
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
  let request: Request
  let id: String
  /// What stands in the places of the route's path.
  let parameters: [String: String]
  private let route: Route
  private let responder: Responder
  private let record: Locked<RequestRecord>
  private let dress: AnswerDress
  private let finished: @Sendable (RequestRecord) -> Void

  init(
    _ request: Request, _ responder: Responder, _ match: Route.Match, dress: AnswerDress,
    finished: @escaping @Sendable (RequestRecord) -> Void
  ) {
    self.request = request
    self.responder = responder
    self.dress = dress
    self.finished = finished
    parameters = match.parameters
    route = match.route
    id = Self.id(request.head.headerFields[.requestID])
    record = Locked(
      RequestRecord(
        id: id, method: request.head.method.rawValue, route: match.route.path, status: 0,
        remoteAddress: request.remoteAddress,
        trace: request.head.headerFields[.traceParent].flatMap(TraceParent.init)))
  }

  var queryNames: [String] { route.documentation.queryNames }

  /// Notes what is known by now; nothing once the answer is on its way.
  func note(_ change: (inout RequestRecord) -> Void) {
    record.withLock { change(&$0) }
  }

  var isCancelled: Bool { responder.isCancelled }

  func onCancel(_ action: @escaping @Sendable () -> Void) { responder.onCancel(action) }

  func answer(_ response: Response, _ bulk: AnswerBulk = .text) {
    var response = response
    dress.compressed.apply(to: &response, bulk, request.head.headerFields[.acceptEncoding])
    dress.crossOrigin.apply(to: &response, request.head)
    let record = record.withLock { record in
      record.status = response.status.code
      record.stages.total = ContinuousClock.now - request.receivedAt
      return record
    }
    response.fields[.requestID] = id
    response.fields[.traceParent] = record.trace?.field
    if record.texts > 0 {
      response.fields[.serverTiming] = record.stages.serverTiming
      if case .tei = route.errors { response.fields.append(contentsOf: record.computeFields) }
    }
    // First: the process may end as soon as its last answer is out.
    finished(record)
    responder.respond(response)
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
  static let serverTiming = Self("server-timing")!
  static let traceParent = Self("traceparent")!
}
