import HTTP
import HTTPTypes
import JSON

/// One entry of the routing table: a path and a method; GET routes answer HEAD too.
struct Route: Sendable {
  var method: HTTPRequest.Method
  /// A part may be a name in braces, with something fixed behind it: `/v1/models/{model}:predict`.
  var path: String
  /// How its failures are written.
  var errors = ErrorShape.native
  /// Nothing about the model or its texts: whoever watches the process has no key.
  var isOpen = false
  var documentation: Documentation
  var answer: @Sendable (Service, Exchange) -> Void

  var takesBody: Bool { method == .post }
  /// Answered even by a server that has no room for other requests.
  var isHealthCheck: Bool { isOpen && (path.contains("/health") || path == "/ping") }
  /// What a body may be; one without a type is taken for any of them.
  var accepts: [ContentType] { documentation.bodies.map(\.type) }

  static let all: [Route] = native + openAI + tei + kserve + tensorFlowServing

  private static let native: [Route] = [
    Route(method: .post, path: "/encode", documentation: .encode) { $0.encode($1) },
    Route(method: .get, path: "/", isOpen: true, documentation: .explorer) { $0.explore($1) },
    Route(method: .get, path: "/health/live", isOpen: true, documentation: .live) { $0.live($1) },
    Route(method: .get, path: "/health/ready", isOpen: true, documentation: .health) {
      $0.health($1)
    },
    Route(method: .get, path: "/health", isOpen: true, documentation: .health) { $0.health($1) },
    Route(method: .get, path: "/ping", isOpen: true, documentation: .health) { $0.health($1) },
    Route(method: .get, path: "/info", documentation: .info) { $0.info($1) },
    Route(method: .get, path: "/metrics", documentation: .metrics) { $0.answerMetrics($1) },
    Route(method: .get, path: "/openapi.json", documentation: .openAPI) { $0.describe($1) },
  ]

  /// Routes of the same protocols that are missed for a reason, by the last part of their path, or what
  /// follows a model's name there.
  private static let refused: [RawText: String] = [
    "rerank":
      "reranking needs a model's classification head, and this server gives encoders' outputs",
    "predict": "classification needs a model's head, and this server gives encoders' outputs",
    "embed_sparse": "sparse vectors need a masked-LM head, and this server gives encoders' outputs",
    ":classify":
      "it needs a classification head, and this server gives encoders' outputs; see :predict",
    ":regress": "it needs a regression head, and this server gives encoders' outputs; see :predict",
    "completions": "this server embeds texts and does not write them; ask /v1/embeddings",
  ]

  /// Why there is no such route, if it is known.
  static func refusal(of path: String) -> String? {
    let last = RawText(path).split(UInt8(ascii: "/")).last ?? ""
    return (verb(of: last) ?? refused[last]).map { "there is no \(path): \($0)" }
  }

  /// Why a model does not do what is behind the colon.
  private static func verb(of part: RawText) -> String? {
    let parts = part.split(UInt8(ascii: ":"))
    guard parts.count > 1, let last = parts.last else { return nil }
    return refused[RawText(":" + last.string)]
  }

  /// Names of the path's places.
  var places: [String] { PathTemplate(path).places }

  // MARK: - Finding one

  /// A route with what stands in its path's places.
  struct Match {
    var route: Route
    var parameters: [String: RawText] = [:]
  }

  private static let byPath = Dictionary(grouping: all) { RawText($0.path) }
  /// Paths with places in them, the more particular first.
  private static let templates = byPath.filter { $0.key.string.contains("{") }
    .map { (template: PathTemplate($0.key.string), routes: $0.value) }
    .sorted { $0.template.fixedLength > $1.template.fixedLength }
  /// Parts of a path, and those that a model's name may have there.
  private static let mostPathParts = 16
  private static let mostNameParts = 4
  private static let knownMethods = Set(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"])

  /// A method's name, or `other` for one that a client made up.
  static func knownMethod(_ method: HTTPRequest.Method) -> String {
    knownMethods.contains(method.rawValue) ? method.rawValue : "other"
  }

  /// - Throws: `unknownRoute`, `methodNotAllowed`.
  static func find(_ head: HTTPRequest) throws(ServiceError) -> Match {
    let path = Self.path(head)
    if path == "*", head.method == .options { return Match(route: options) }
    guard let (routes, parameters, isJoined) = routes(at: path),
      // Else M:classify would be the name of a model.
      parameters["model"].flatMap(verb) == nil
    else { throw .unknownRoute(path: path) }
    let method = head.method == .head ? .get : head.method
    if let route = routes.first(where: { $0.method == method }) {
      return Match(route: route, parameters: parameters)
    }
    if method == .options { return Match(route: options) }
    // What is behind a model's name is not a part of it, then.
    if isJoined { throw .unknownRoute(path: path) }
    throw .methodNotAllowed(method: head.method.rawValue, allowed: allowed(routes))
  }

  /// - Returns: `isJoined`: where a model's name has slashes.
  private static func routes(
    at path: String
  ) -> (routes: [Route], parameters: [String: RawText], isJoined: Bool)? {
    // Nearly all paths come as they are written; others are read by the one rule for paths.
    if let routes = byPath[RawText(path)] { return (routes, [:], false) }
    guard let target = try? RequestTarget(path) else { return nil }
    if let routes = byPath[RawText(target.path)] { return (routes, [:], false) }
    let components = target.components.map { RawText($0) }
    guard components.count <= mostPathParts else { return nil }
    if let (routes, parameters) = match(components) { return (routes, parameters, false) }
    // Clients leave the slash of a model's OWNER/NAME as it is.
    guard let first = components.firstIndex(of: "models").map({ $0 + 1 }) else { return nil }
    for last in first + 1..<max(first + 1, min(components.count, first + mostNameParts)) {
      let name = RawText(components[first...last].map(\.string).joined(separator: "/"))
      let joined = components[..<first] + [name] + components[(last + 1)...]
      if let (routes, parameters) = match(Array(joined)) { return (routes, parameters, true) }
    }
    return nil
  }

  private static func match(
    _ components: [RawText]
  ) -> (routes: [Route], parameters: [String: RawText])? {
    for (template, routes) in templates {
      if let parameters = template.match(components) { return (routes, parameters) }
    }
    return nil
  }

  /// Without the query.
  static func path(_ head: HTTPRequest) -> String {
    let target = head.path ?? "/"
    // Of the bytes: characters take a good part of a health check's time.
    return target.utf8.firstIndex(of: UInt8(ascii: "?")).map { String(target[..<$0]) } ?? target
  }

  private static func allowed(_ routes: [Route]) -> [HTTPRequest.Method] {
    routes.flatMap { $0.method == .get ? [.get, .head] : [$0.method] } + [.options]
  }

  /// What may be asked of a path, or of the server by `OPTIONS *` (RFC 9110 §9.3.7). A browser asks
  /// it before it asks with a key.
  private static let options = Route(
    method: .options, path: "*", isOpen: true,
    documentation: Documentation(tag: .operations, summary: "The methods.", answers: [])
  ) { _, exchange in
    let methods =
      routes(at: path(exchange.request.head)).map { allowed($0.routes) }
      ?? [.get, .head, .post, .options]
    exchange.answer(
      Response(
        status: .noContent,
        fields: [.allow: methods.map(\.rawValue).joined(separator: ", ")], body: .bytes([])))
  }
}

/// A route's path, part by part.
struct PathTemplate {
  private enum Part {
    case fixed(RawText)
    /// Any text but none, with `suffix` behind it.
    case place(name: String, suffix: RawText)
  }

  private let parts: [Part]
  /// Characters that are not in places.
  let fixedLength: Int

  init(_ path: String) {
    parts = path.split(separator: "/").map { part in
      guard part.hasPrefix("{"), let end = part.firstIndex(of: "}") else {
        return .fixed(RawText(part))
      }
      return .place(
        name: String(part.dropFirst()[..<end]), suffix: RawText(part[part.index(after: end)...]))
    }
    fixedLength = parts.reduce(0) { length, part in
      switch part {
      case .fixed(let text): length + text.utf8.count
      case .place(_, let suffix): length + suffix.utf8.count
      }
    }
  }

  var places: [String] {
    parts.compactMap { if case .place(let name, _) = $0 { name } else { nil } }
  }

  /// What stands in the places; nil if this is another path.
  func match(_ components: [RawText]) -> [String: RawText]? {
    guard components.count == parts.count else { return nil }
    var parameters: [String: RawText] = [:]
    for (part, component) in zip(parts, components) {
      switch part {
      case .fixed(let text): guard component == text else { return nil }
      case .place(let name, let suffix):
        guard let place = component.dropping(suffix: suffix), !place.isEmpty else { return nil }
        parameters[name] = place
      }
    }
    return parameters
  }
}
