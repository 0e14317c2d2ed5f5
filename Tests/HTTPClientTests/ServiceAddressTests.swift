import Testing

@testable import HTTPClient

@Suite struct ServiceAddressTests {
  @Test(arguments: [
    ("http://a", false, "a", "80", "a", ""),
    ("https://a", true, "a", "443", "a", ""),
    ("http://a:8080/", false, "a", "8080", "a:8080", ""),
    ("http://a:8080/b/c/", false, "a", "8080", "a:8080", "/b/c"),
    ("https://[::1]:9/b", true, "::1", "9", "[::1]:9", "/b"),
    ("http://[::1]", false, "::1", "80", "[::1]", ""),
  ])
  func parts(
    url: String, isSecure: Bool, host: String, port: String, authority: String, prefix: String
  ) throws {
    let address = try ServiceAddress(url)
    #expect(address.isSecure == isSecure)
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.authority == authority)
    #expect(address.prefix == prefix)
  }

  @Test(arguments: ["", "a:80", "ftp://a", "HTTP://a"])
  func noAddress(url: String) {
    #expect(throws: HTTPClientError.notAnAddress(url)) { try ServiceAddress(url) }
  }

  @Test(arguments: [
    "http://", "http://:80", "http://a:", "http://a:x", "http://a:65536", "http:///b",
  ])
  func noHostAndPort(url: String) {
    #expect(throws: HTTPClientError.noHostAndPort(url)) { try ServiceAddress(url) }
  }
}
