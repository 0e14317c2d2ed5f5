import HTTP
import HTTPTypes
import JSON
import Serving

enum ExplorerRoutes {
  /// `GET /`: the page for people. It asks this service alone, and holds nothing of the model.
  static let group = RouteGroup([
    Route(
      .get, "/",
      Documentation(
        tag: .native, summary: "A page for people, on which the map can be seen.",
        answers: [.init(contentType: "text/html", example: "<!doctype html>")]),
      access: .open
    ) { exchange in
      exchange.answer(
        ExplorerPage.response(
          nonce: ExplorerPage.makeNonce(), asksForKey: exchange.service.asksForKey))
    }
  ])
}

/// One HTML document of the files beside this one.
enum ExplorerPage {
  /// What stands between the places of the nonce, and there between those of `asks-for-key`.
  private static let parts: [[[UInt8]]] = {
    var page = text(PackageResources.explorer_html)
    for (name, bytes) in [
      ("explorer.css", PackageResources.explorer_css), ("words.js", PackageResources.words_js),
      ("numbers.js", PackageResources.numbers_js), ("colors.js", PackageResources.colors_js),
      ("grid.js", PackageResources.grid_js), ("points.js", PackageResources.points_js),
      ("tokens.js", PackageResources.tokens_js), ("link.js", PackageResources.link_js),
      ("service.js", PackageResources.service_js), ("results.js", PackageResources.results_js),
      ("explorer.js", PackageResources.explorer_js),
    ] {
      page.replace("{{\(name)}}", with: text(bytes))
    }
    return page.split(separator: "{{nonce}}", omittingEmptySubsequences: false).map { part in
      part.split(separator: "{{asks-for-key}}", omittingEmptySubsequences: false).map {
        Array($0.utf8)
      }
    }
  }()

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// 128 bits that nobody can guess, anew in each answer: only what was sent in it runs (Content
  /// Security Policy Level 3, section 7.1).
  static func makeNonce() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<2).map { _ in String(generator.next(), radix: 16) }.joined(separator: "-")
  }

  /// - Parameter asksForKey: the page then asks its reader for a key before it asks the service.
  static func response(nonce: String, asksForKey: Bool) -> Response {
    var fields: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
    fields[.contentSecurityPolicy] =
      "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; "
      + "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
      + "frame-ancestors 'none'"
    fields[.xContentTypeOptions] = "nosniff"
    let value = (asksForKey ? "true" : "false").utf8
    let bytes = parts.map { $0.joined(separator: value) }.joined(separator: nonce.utf8)
    return Response(status: .ok, fields: fields, body: .bytes(Array(bytes)))
  }
}
