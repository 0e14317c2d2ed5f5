import FoundationEssentials
public import HTTP
public import HTTPTypes

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

/// Takes requests to their routes, through the middleware that all of them pass.
public final class Service: RequestHandler {
  package let limits: ServiceLimits
  package let parsing = ParsingQueues()
  package let metrics = Metrics()
  /// Unix time, seconds.
  package let startedAt = Int(Date().timeIntervalSince1970)
  /// What the process tells of itself: names and gauges that no module here knows.
  package let process: ProcessFacts
  let basePath: BasePath
  let router: Router
  let middleware: [any Middleware]
  let keptDocument = Locked<KeptDocument?>(nil)
  private let authentication: Authentication
  let checkIsReady: @Sendable () throws(ServiceError) -> Void

  /// - Parameters:
  ///   - checkIsReady: throws while no texts can be taken, so that no body is read for nothing.
  ///   - log: called once a request, before the last of its answer is sent.
  package init(
    _ groups: [RouteGroup], limits: ServiceLimits, keys: APIKeys? = nil,
    metricsAreOpen: Bool = false, basePath: String = "",
    compression: CompressedAnswers = .none, crossOrigin: CrossOrigin = CrossOrigin(origins: []),
    process: ProcessFacts,
    checkIsReady: @escaping @Sendable () throws(ServiceError) -> Void,
    log: @escaping @Sendable (RequestRecord) -> Void
  ) {
    router = Router(groups)
    self.limits = limits
    self.basePath = BasePath(text: basePath)
    self.process = process
    self.checkIsReady = checkIsReady
    authentication = Authentication(keys, metricsAreOpen: metricsAreOpen)
    middleware = [
      authentication, Compression(answers: compression), AnswerMemory(), crossOrigin, metrics,
      RequestLog(write: log),
    ]
  }

  /// A route that the base path hides; nil if there is none.
  public var hiddenRoute: String? { basePath.hiddenRoute(of: router) }

  /// From now on a request must bring one of these keys. Nothing changes for one under way, and
  /// nothing for a service that was made without keys.
  public func renew(_ keys: APIKeys) { authentication.renew(keys) }

  /// Whether a request must bring a key.
  package var asksForKey: Bool { authentication.asksForKey }

  // MARK: - RequestHandler

  public func begin(
    _ head: HTTPRequest, remoteAddress: String, receivedAt: ContinuousClock.Instant
  ) -> any HandledRequest {
    RequestContext(
      basePath.taken(from: head), remoteAddress: remoteAddress, receivedAt: receivedAt, of: self)
  }

  public func malformed(_ failure: HTTPFailure, _ part: RequestPart) -> Response {
    RequestContext(part, of: self).failed(failure)
  }
}
