import HTTP
import HTTPTypes

/// One entry of the routing table: a path and a method; GET routes answer HEAD too.
struct Route: Sendable {
  var method: HTTPRequest.Method
  var path: String
  /// Nothing about the model or its texts: whoever watches the process has no key.
  var isOpen = false
  var answer: @Sendable (Service, Exchange) -> Void

  var takesBody: Bool { method == .post }

  static let all: [Route] = [
    Route(method: .post, path: "/encode") { $0.encode($1) },
    Route(method: .get, path: "/health/live", isOpen: true) { $0.live($1) },
    Route(method: .get, path: "/health/ready", isOpen: true) { $0.health($1) },
    Route(method: .get, path: "/health", isOpen: true) { $0.health($1) },
    Route(method: .get, path: "/info") { $0.info($1) },
    Route(method: .get, path: "/metrics") { $0.answerMetrics($1) },
  ]

  private static let byPath = Dictionary(grouping: all, by: \.path)
  private static let knownMethods = Set(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"])

  /// A method's name, or `other` for one that a client made up.
  static func knownMethod(_ method: HTTPRequest.Method) -> String {
    knownMethods.contains(method.rawValue) ? method.rawValue : "other"
  }

  /// - Throws: `unknownRoute`, `methodNotAllowed`.
  static func find(_ head: HTTPRequest) throws(ServiceError) -> Route {
    let target = head.path ?? "/"
    let path = target.firstIndex(of: "?").map { String(target[..<$0]) } ?? target
    if path == "*", head.method == .options { return options }
    // Nearly all paths come as they are written; others are read by the one rule for paths.
    guard let routes = byPath[path] ?? (try? RequestTarget(path)).flatMap({ byPath[$0.path] })
    else {
      throw .unknownRoute(path: path)
    }
    let method = head.method == .head ? .get : head.method
    if let route = routes.first(where: { $0.method == method }) { return route }
    if method == .options { return options }
    throw .methodNotAllowed(method: head.method.rawValue, allowed: allowed(routes))
  }

  private static func allowed(_ routes: [Route]) -> [HTTPRequest.Method] {
    routes.flatMap { $0.method == .get ? [.get, .head] : [$0.method] } + [.options]
  }

  /// What may be asked of a path, or of the server by `OPTIONS *` (RFC 9110 §9.3.7).
  private static let options = Route(method: .options, path: "*") { _, exchange in
    let target = exchange.request.head.path ?? "*"
    let path = target.firstIndex(of: "?").map { String(target[..<$0]) } ?? target
    let methods = byPath[path].map(allowed) ?? [.get, .head, .post, .options]
    exchange.answer(
      Response(
        status: .noContent,
        fields: [.allow: methods.map(\.rawValue).joined(separator: ", ")], body: .bytes([])))
  }
}
