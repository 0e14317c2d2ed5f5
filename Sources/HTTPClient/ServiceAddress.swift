/// Where a service is: `http://HOST:PORT/PREFIX`, `https://` too.
struct ServiceAddress: Equatable {
  var isSecure: Bool
  /// Without an IPv6 address's brackets.
  var host: String
  var port: String
  /// Host and port, as they stand in the address.
  var authority: String
  /// What the paths begin with; no slash at its end.
  var prefix: String

  /// - Throws: `notAnAddress` or `noHostAndPort`.
  init(_ url: String) throws(HTTPClientError) {
    isSecure = url.hasPrefix("https://")
    guard isSecure || url.hasPrefix("http://") else { throw .notAnAddress(url) }
    let rest = url.dropFirst(isSecure ? "https://".count : "http://".count)
    let authority = rest.prefix { $0 != "/" }
    self.authority = String(authority)
    let path = rest.dropFirst(authority.count)
    prefix = String(path.hasSuffix("/") ? path.dropLast() : path)
    // The port comes behind the last colon that is not within an IPv6 address.
    if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
      host = Self.withoutBrackets(authority[..<colon])
      port = String(authority[authority.index(after: colon)...])
    } else {
      host = Self.withoutBrackets(authority)
      port = isSecure ? "443" : "80"
    }
    guard !host.isEmpty, UInt16(port) != nil else { throw .noHostAndPort(url) }
  }

  private static func withoutBrackets(_ host: Substring) -> String {
    host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
  }
}
