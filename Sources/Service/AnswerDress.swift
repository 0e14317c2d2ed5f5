import HTTP
import HTTPTypes
import JSON

/// What every answer gets on its way out, whatever it says.
public struct AnswerDress: Sendable {
  public var compressed = CompressedAnswers.none
  public var crossOrigin = CrossOrigin(origins: [])

  public init() {}
}

/// Which pages' scripts may read answers in a browser (the CORS protocol, WHATWG Fetch section
/// 3.2). What a page may not, other programs may: this protects users of browsers, not the service.
public struct CrossOrigin: Sendable {
  private let origins: Set<RawText>

  /// - Parameter origins: as browsers send them, `https://host:port`.
  public init(origins: [String]) {
    self.origins = Set(origins.map { RawText($0) })
  }

  func apply(to response: inout Response, _ head: HTTPRequest) {
    if origins.isEmpty { return }
    response.vary(on: .origin)
    guard let origin = head.headerFields[.origin], origins.contains(RawText(origin)) else { return }
    response.fields[.accessControlAllowOrigin] = origin
    if head.method == .options, let allowed = response.fields[.allow] {
      response.fields[.accessControlAllowMethods] = allowed
      response.fields[.accessControlAllowHeaders] =
        "authorization, content-type, content-encoding, inference-header-content-length, "
        + "traceparent, x-request-id"
      response.fields[.accessControlMaxAge] = "7200"
    } else {
      response.fields[.accessControlExposeHeaders] =
        "inference-header-content-length, retry-after, server-timing, traceparent, x-request-id"
    }
  }
}
