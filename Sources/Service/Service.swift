import Dispatch
import FoundationEssentials
public import HTTP
public import HTTPTypes
import JSON
import OutputMap

/// Limits of the routes; those of bytes on the wire are the HTTP module's.
public struct ServiceLimits: Sendable {
  /// Texts of one request.
  public var texts: Int
  /// Bytes of a body that came compressed.
  public var bodyBytes: Int
  /// Bytes of one answer, as estimated before anything is encoded.
  public var outputBytes: Int
  public var jsonDepth: Int
  /// How long a request that names no time of its own may take.
  public var requestTimeout: Duration

  public init(
    texts: Int, bodyBytes: Int, outputBytes: Int, jsonDepth: Int, requestTimeout: Duration
  ) {
    self.texts = texts
    self.bodyBytes = bodyBytes
    self.outputBytes = outputBytes
    self.jsonDepth = jsonDepth
    self.requestTimeout = requestTimeout
  }
}

/// Takes a request, finds its route, and answers it.
public final class Service: RequestHandler {
  /// Where the process is in its life.
  enum Phase {
    case loading
    /// The first is the default.
    case ready([ServedModel])
    /// Empty if the stop came before the models.
    case draining([ServedModel])
  }

  let limits: ServiceLimits
  let memory: MemoryBudget
  let parsing = ParsingQueues()
  let metrics = Metrics()
  let keptDocument = Locked<KeptDocument?>(nil)
  /// Unix time, seconds.
  let startedAt = Int(Date().timeIntervalSince1970)
  /// What the process tells of itself: names and gauges that no module here knows.
  let process: ProcessFacts
  let basePath: BasePath
  private let keys: Locked<APIKeys?>
  private let metricsAreOpen: Bool
  private let responseHeaders: ResponseHeaders
  private let phase = Locked(Phase.loading)
  private let log: @Sendable (RequestRecord) -> Void

  public init(
    limits: ServiceLimits, memory: MemoryBudget = MemoryBudget(), keys: APIKeys? = nil,
    metricsAreOpen: Bool = false, basePath: String = "",
    responseHeaders: ResponseHeaders = ResponseHeaders(), process: ProcessFacts,
    log: @escaping @Sendable (RequestRecord) -> Void
  ) {
    self.limits = limits
    self.memory = memory
    self.keys = Locked(keys)
    self.metricsAreOpen = metricsAreOpen
    self.basePath = BasePath(text: basePath)
    self.responseHeaders = responseHeaders
    self.process = process
    self.log = log
  }

  /// A route that `basePath` would hide; nil if there is none.
  public static func hiddenRoute(by basePath: String) -> String? {
    basePath.isEmpty ? nil : BasePath.hiddenRoute(by: basePath)
  }

  /// The models are loaded and warm: from now on texts are encoded.
  ///
  /// - Parameter models: at least one; the first answers where no name is given.
  public func ready(_ models: [ServedModel]) {
    phase.withLock { if case .loading = $0 { $0 = .ready(models) } }
  }

  /// `/health/ready` answers 503 from now on; requests are still served.
  public func beginDraining() {
    phase.withLock { phase in
      if case .ready(let models) = phase {
        phase = .draining(models)
      } else {
        phase = .draining([])
      }
    }
  }

  var currentPhase: Phase { phase.withLock { $0 } }

  /// The models that answer, the default first; those that are draining still do.
  func models() throws(ServiceError) -> [ServedModel] {
    switch currentPhase {
    case .ready(let models): return models
    case .draining(let models) where !models.isEmpty: return models
    case .loading: throw .loading
    case .draining: throw .draining
    }
  }

  /// The model of that name, or the default where none is given.
  ///
  /// - Parameter exchange: the request whose path has the name.
  func model(
    named name: RawText? = nil, in exchange: Exchange? = nil
  ) throws(ServiceError) -> ServedModel {
    let models = try models()
    guard let name, !name.isEmpty else { return models[0] }
    let model =
      if let exchange { try models.named(name, in: exchange) } else { models.named(name) }
    guard let model else {
      let names = models.listedNames
      throw .unknownModel(name: name.description, served: names.joined(separator: ", "))
    }
    return model
  }

  /// From now on a request must bring one of these keys. Nothing changes for one under way, and
  /// nothing for a service that was made without keys.
  public func renew(_ keys: APIKeys) {
    self.keys.withLock { if $0 != nil { $0 = keys } }
  }

  /// Whether a request must bring a key.
  var asksForKey: Bool { keys.withLock { $0 != nil } }

  private func isOpen(_ route: Route) -> Bool {
    route.isOpen || metricsAreOpen && route.path == "/metrics"
  }

  // MARK: - RequestHandler

  public func examine(_ head: HTTPRequest, remoteAddress: String) -> Examination {
    let head = basePath.taken(from: head)
    var match: Route.Match?
    do throws(ServiceError) {
      match = try Route.find(head)
      guard let route = match?.route else { return .discardBody }
      if let keys = keys.withLock({ $0 }), !isOpen(route) {
        try keys.check(head.headerFields[.authorization])
      }
      guard responseHeaders.compressed.canAnswer(head.headerFields[.acceptEncoding]) else {
        throw .notAcceptable
      }
      guard route.takesBody else { return .discardBody }
      _ = try Self.contentCoding(head)
      if let type = head.headerFields[.contentType] {
        let known = ContentType(field: type)
        guard let known, known == .unstated || route.accepts.contains(known) else {
          throw .unsupportedContentType(
            RawText(type).description,
            accepted: route.accepts.map(\.name).joined(separator: ", "))
        }
      }
      _ = try models()
      return .readBody
    } catch {
      let errors = match?.route.errors ?? ErrorShape(path: head.path ?? "/")
      var response = errors.response(error)
      let id = Exchange.id(head.headerFields[.requestID])
      response.fields[.requestID] = id
      finish(
        RequestRecord(
          id: id, method: Route.knownMethod(head.method), route: match?.route.path ?? "none",
          status: response.status.code, remoteAddress: remoteAddress))
      responseHeaders.crossOrigin.apply(to: &response, head)
      return .refuse(response)
    }
  }

  public func isHealthCheck(_ head: HTTPRequest) -> Bool {
    (try? Route.find(basePath.taken(from: head)))?.route.isHealthCheck ?? false
  }

  public func handle(_ request: Request, _ responder: Responder) {
    var request = request
    request.head = basePath.taken(from: request.head)
    do throws(ServiceError) {
      let match = try Route.find(request.head)
      let exchange = Exchange(
        request, responder, match, responseHeaders: responseHeaders, timeout: limits.requestTimeout
      ) { [self] in finish($0) }
      match.route.answer(self, exchange)
    } catch {
      responder.respond(ErrorShape(path: request.head.path ?? "/").response(error))
    }
  }

  static func contentCoding(_ head: HTTPRequest) throws(ServiceError) -> ContentCoding? {
    do throws(ContentCodingError) {
      return try ContentCoding(field: head.headerFields[.contentEncoding])
    } catch {
      throw ServiceError(error)
    }
  }

  private func finish(_ record: RequestRecord) {
    metrics.record(record)
    log(record)
  }

  public func abandoned(_ head: HTTPRequest, remoteAddress: String) {
    finish(
      RequestRecord(
        id: Exchange.id(head.headerFields[.requestID]), method: Route.knownMethod(head.method),
        route: (try? Route.find(basePath.taken(from: head)))?.route.path ?? "none",
        status: Exchange.clientClosedRequest, remoteAddress: remoteAddress))
  }

  public func malformed(
    _ failure: HTTPFailure, _ part: RequestPart
  ) -> Response {
    metrics.countMalformed(status: failure.status.code)
    let id = Exchange.id(part.fields[.requestID])
    var record = RequestRecord(
      id: id, method: part.method?.rawValue ?? "none", route: "none", status: failure.status.code,
      remoteAddress: part.remoteAddress)
    record.failure = failure.message
    log(record)
    var response = ErrorShape(path: basePath.taken(from: part.path ?? "/")).response(
      status: failure.status, type: "Validation", message: failure.message)
    response.fields[.requestID] = id
    response.fields[.retryAfter] = failure.retryAfter.map { String($0) }
    return response
  }
}
