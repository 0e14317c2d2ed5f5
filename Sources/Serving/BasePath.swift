import HTTPTypes

/// A prefix that a proxy leaves before every path. Paths without it are answered too: health checks
/// come past the proxy, and other proxies take it off.
struct BasePath: Sendable {
  /// `/embeddings-api`; empty for none.
  let text: String

  /// A route that the prefix hides; nil if there is none.
  func hiddenRoute(of router: Router) -> String? {
    let parts = text.split(separator: "/")
    if parts.isEmpty { return nil }
    return router.routes.map(\.path).first { path in
      let fixed = path.split(separator: "/")
      // A model's name may have slashes, so that whatever is behind its place could be a part of it.
      if let place = fixed.firstIndex(where: { $0.contains("{") }), parts.count > place {
        return fixed[..<place].elementsEqual(parts[..<place])
      }
      return fixed.count >= parts.count && zip(fixed, parts).allSatisfy { $0 == $1 }
    }
  }

  /// The request's target without the prefix.
  func taken(from target: String) -> String {
    guard !text.isEmpty, target.utf8.starts(with: text.utf8) else { return target }
    let rest = target.utf8.dropFirst(text.utf8.count)
    switch rest.first {
    case UInt8(ascii: "/"): return String(Substring(rest))
    case nil, UInt8(ascii: "?"): return "/" + String(Substring(rest))
    default: return target
    }
  }

  func taken(from head: HTTPRequest) -> HTTPRequest {
    guard !text.isEmpty, let target = head.path else { return head }
    var head = head
    head.path = taken(from: target)
    return head
  }
}
