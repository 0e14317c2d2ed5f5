import HTTP
import HTTPTypes
import JSON

/// Which pages' scripts may read answers in a browser (the CORS protocol, WHATWG Fetch section
/// 3.2). What a page may not, other programs may: this protects users of browsers, not the service.
public struct CrossOrigin: Middleware {
  private let origins: Set<RawText>
  private let allowsAny: Bool

  /// - Parameter origins: as browsers send them, `https://host:port`, `app://host`, `null`; or `*` for
  ///   all.
  public init(origins: [String]) {
    self.origins = Set(origins.map { RawText(Self.withoutDefaultPort($0)) })
    allowsAny = self.origins.contains("*")
  }

  /// Browsers leave out a scheme's default port.
  private static func withoutDefaultPort(_ origin: String) -> String {
    for (scheme, port) in [("https://", ":443"), ("http://", ":80")]
    where origin.hasPrefix(scheme) && origin.hasSuffix(port) {
      return String(origin.dropLast(port.count))
    }
    return origin
  }

  func complete(_ answer: inout OutgoingAnswer, to context: RequestContext) {
    if !origins.isEmpty { allow(context.head, &answer.response) }
  }

  private func allow(_ head: HTTPRequest, _ response: inout Response) {
    response.vary(on: .origin)
    guard let origin = head.headerFields[.origin],
      allowsAny || origins.contains(RawText(origin))
    else { return }
    response.fields[.accessControlAllowOrigin] = allowsAny ? "*" : origin
    if head.method == .options, let allowed = response.fields[.allow] {
      response.vary(on: .accessControlRequestHeaders)
      response.fields[.accessControlAllowMethods] = allowed
      response.fields[.accessControlAllowHeaders] =
        Self.names(head.headerFields[.accessControlRequestHeaders]) ?? Self.usual
      response.fields[.accessControlMaxAge] = "7200"
    } else {
      response.fields[.accessControlExposeHeaders] =
        "inference-header-content-length, retry-after, server-timing, traceparent, "
        + "x-ignored-members, x-request-id, x-truncated-texts"
    }
  }

  private static let usual =
    "authorization, content-type, content-encoding, inference-header-content-length, "
    + "traceparent, x-request-id"

  /// The names that a page asks for, all of them: clients send fields of their own
  /// (`x-stainless-os`), which change nothing here. Nil if there is none, or it is no list of names.
  private static func names(_ field: String?) -> String? {
    guard let field else { return nil }
    let names = RawText(field).split(UInt8(ascii: ",")).map(\.trimmed).filter { !$0.isEmpty }
    guard !names.isEmpty, names.allSatisfy({ HTTPField.Name($0.string) != nil }) else { return nil }
    return names.map(\.string).joined(separator: ", ")
  }
}
