import HTTP
import HTTPTypes
import JSON

/// Finds a request's route.
struct Router: Sendable {
  /// In the groups' order.
  let routes: [Route]
  private let groups: [RouteGroup]
  private let byPath: [RawText: [Route]]
  /// Paths with places in them, the more particular first.
  private let templates: [(template: PathTemplate, routes: [Route])]
  private let missing: [RawText: String]

  /// Parts of a path, and those that a model's name may have there.
  private static let mostPathParts = 16
  private static let mostNameParts = 4
  private static let knownMethods = Set(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"])

  init(_ groups: [RouteGroup]) {
    self.groups = groups
    routes = groups.flatMap(\.routes)
    byPath = Dictionary(grouping: routes) { RawText($0.path) }
    templates = byPath.filter { $0.key.string.contains("{") }
      .map { (template: PathTemplate($0.key.string), routes: $0.value) }
      .sorted { $0.template.fixedLength > $1.template.fixedLength }
    missing = groups.reduce(into: [:]) { missing, group in
      missing.merge(group.missing) { first, _ in first }
    }
  }

  // MARK: - Failures

  /// How a failure is written where no route was found, or what came was no request.
  func errors(at path: String) -> ErrorShape {
    groups.last { $0.claims(path) }?.errors ?? .native
  }

  /// That there is no such route, and why if that is known.
  func unknownRoute(_ path: String) -> ServiceError {
    let last = RawText(path).split(UInt8(ascii: "/")).last ?? ""
    return .unknownRoute(path: path, reason: verb(of: last) ?? missing[last])
  }

  /// Why a model does not do what is behind the colon.
  private func verb(of part: RawText) -> String? {
    let parts = part.split(UInt8(ascii: ":"))
    guard parts.count > 1, let last = parts.last else { return nil }
    return missing[RawText(":" + last.string)]
  }

  /// A method's name, or `other` for one that a client made up.
  static func knownMethod(_ method: HTTPRequest.Method) -> String {
    knownMethods.contains(method.rawValue) ? method.rawValue : "other"
  }

  // MARK: - Finding one

  /// - Throws: `unknownRoute`, `methodNotAllowed`.
  func find(_ head: HTTPRequest) throws(ServiceError) -> Route.Match {
    let path = Self.path(head)
    if path == "*", head.method == .options { return Route.Match(route: options) }
    guard let (routes, parameters, isJoined) = routes(at: path),
      // Else M:classify would be the name of a model.
      parameters["model"].flatMap(verb) == nil
    else { throw unknownRoute(path) }
    let method = head.method == .head ? .get : head.method
    if let route = routes.first(where: { $0.method == method }) {
      return Route.Match(route: route, parameters: parameters)
    }
    if method == .options { return Route.Match(route: options) }
    // What is behind a model's name is not a part of it, then.
    if isJoined { throw unknownRoute(path) }
    throw .methodNotAllowed(method: head.method.rawValue, allowed: Self.allowed(routes))
  }

  /// - Returns: `isJoined`: where a model's name has slashes.
  private func routes(
    at path: String
  ) -> (routes: [Route], parameters: [String: RawText], isJoined: Bool)? {
    // Nearly all paths come as they are written; others are read by the one rule for paths.
    if let routes = byPath[RawText(path)] { return (routes, [:], false) }
    guard let target = try? RequestTarget(path) else { return nil }
    if let routes = byPath[RawText(target.path)] { return (routes, [:], false) }
    let components = target.components.map { RawText($0) }
    guard components.count <= Self.mostPathParts else { return nil }
    if let (routes, parameters) = match(components) { return (routes, parameters, false) }
    // Clients leave the slash of a model's OWNER/NAME as it is.
    guard let first = components.firstIndex(of: "models").map({ $0 + 1 }) else { return nil }
    for last in first + 1..<max(first + 1, min(components.count, first + Self.mostNameParts)) {
      let name = RawText(components[first...last].map(\.string).joined(separator: "/"))
      let joined = components[..<first] + [name] + components[(last + 1)...]
      if let (routes, parameters) = match(Array(joined)) { return (routes, parameters, true) }
    }
    return nil
  }

  private func match(
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
  private var options: Route {
    Route(
      .options, "*", Documentation(tag: .operations, summary: "The methods.", answers: []),
      access: .open
    ) { [self] exchange in
      let methods =
        routes(at: Self.path(exchange.request.head)).map { Self.allowed($0.routes) }
        ?? [.get, .head, .post, .options]
      exchange.answer(
        Response(
          status: .noContent,
          fields: [.allow: methods.map(\.rawValue).joined(separator: ", ")], body: .bytes([])))
    }
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
