package import HTTPTypes
package import JSON

/// A protocol's routes, or others that belong together: all that the service has to know of it.
package struct RouteGroup: Sendable {
  var routes: [Route]
  /// How failures are written where no route of the group was found.
  var errors: ErrorShape
  /// Whether a path without a route is one of this group's; the last group that says so has it.
  var claims: @Sendable (_ path: String) -> Bool
  /// Routes of the protocol that are left out on purpose, with why, by the last part of their path, or what
  /// follows a model's name there.
  var missing: [RawText: String]

  package init(
    _ routes: [Route], errors: ErrorShape = .native, missing: [RawText: String] = [:],
    claims: @escaping @Sendable (_ path: String) -> Bool = { _ in false }
  ) {
    self.routes = routes
    self.errors = errors
    self.missing = missing
    self.claims = claims
  }
}

/// One entry of the routing table: a path and a method; GET routes answer HEAD too.
package final class Route: Sendable {
  package typealias Action = @Sendable (Exchange) -> Void

  /// Who may ask, where API keys are set.
  package enum Access: Sendable {
    case key
    /// It tells nothing about the model or its texts.
    case open
    /// The same, and it is answered even by a server that has no room for other requests: whoever
    /// watches the process has no key.
    case healthCheck
    /// A key, unless the service has `metricsAreOpen`.
    case metrics
  }

  let method: HTTPRequest.Method
  /// A part may be a name in braces, with something fixed behind it: `/v1/models/{model}:predict`.
  let path: String
  /// How its failures are written.
  let errors: ErrorShape
  let access: Access
  let documentation: Documentation
  /// Header fields of an answer with texts that its protocol has besides all others'.
  let recordFields: @Sendable (RequestRecord) -> HTTPFields
  let answer: Action

  package init(
    _ method: HTTPRequest.Method, _ path: String, _ documentation: Documentation,
    errors: ErrorShape = .native, access: Access = .key,
    recordFields: @escaping @Sendable (RequestRecord) -> HTTPFields = { _ in [:] },
    _ answer: @escaping Action
  ) {
    self.method = method
    self.path = path
    self.errors = errors
    self.access = access
    self.documentation = documentation
    self.recordFields = recordFields
    self.answer = answer
  }

  var takesBody: Bool { method == .post }
  /// Whether it is answered without a key, whatever the service's settings.
  var isOpen: Bool { access == .open || access == .healthCheck }
  /// What a body may be; one without a type is taken for any of them.
  var accepts: [ContentType] { documentation.bodies.map(\.type) }
  /// Names of the path's places.
  var places: [String] { PathTemplate(path).places }

  /// A route with what stands in its path's places.
  struct Match {
    var route: Route
    var parameters: [String: RawText] = [:]
  }
}
