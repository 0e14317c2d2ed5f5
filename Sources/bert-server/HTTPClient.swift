import Bulk
import COpenSSL
import Glibc
import JSON
import UntrustedInput

/// Asks a service, a connection a request.
///
/// `@unchecked Sendable`: `tls` is never written, and libssl makes sessions of a context on any thread.
@safe
struct HTTPClient: @unchecked Sendable {
  struct Answer {
    var status = 0
    /// Names in lower case. Neither names nor values are compared as `String`: see `RawText`.
    var fields: [RawText: RawText] = [:]
    var body: [UInt8] = []
  }

  /// Bytes of a status line and the fields.
  private static let maxHeadBytes = 64 << 10

  private let host: String
  private let port: String
  /// Both, as they stand in the address.
  let authority: String
  /// What the paths begin with.
  private let prefix: String
  /// Sent as a bearer token.
  private let key: String?
  /// Seconds that a connection may say nothing.
  private let patience: Int
  /// Seconds that a request may take in all.
  private let timeLimit: Int
  /// Nil: plain. Never freed: it lives as long as the command.
  private let tls: OpaquePointer?

  /// - Parameters:
  ///   - timeLimit: seconds that a request may take.
  ///   - tls: a client's context, or nil for plain HTTP.
  init(host: String, port: String, timeLimit: Int, tls: OpaquePointer? = nil) {
    self.host = host
    self.port = port
    authority = "\(host):\(port)"
    prefix = ""
    key = nil
    self.timeLimit = min(timeLimit, 86_400)
    patience = self.timeLimit
    unsafe self.tls = unsafe tls
  }

  /// Over TLS the service must show a certificate for its host, of an authority that the system trusts
  /// (`SSL_CERT_FILE`, as OpenSSL reads it).
  ///
  /// - Throws: `BulkError` if it is no `http://` or `https://` address.
  init(url: String, key: String?) throws {
    let isSecure = url.hasPrefix("https://")
    guard isSecure || url.hasPrefix("http://") else {
      throw BulkError("--server takes http://HOST:PORT or https://HOST:PORT, not '\(url)'")
    }
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
    guard !host.isEmpty, UInt16(port) != nil else {
      throw BulkError("'\(url)' has no host and port")
    }
    self.key = key
    patience = 120
    timeLimit = 600
    var fault = tls_fault()
    unsafe tls = isSecure ? unsafe tls_client_context(&fault) : nil
    if isSecure, unsafe tls == nil { throw BulkError("there is no memory left for TLS") }
  }

  private static func withoutBrackets(_ host: Substring) -> String {
    host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
  }

  /// The whole answer; nil if there was none, or not all of it.
  ///
  /// - Parameter maxAnswerBytes: of the head and the body together.
  /// - Throws: `BulkError` if the service's certificate is not to be trusted, its answer is not HTTP, or
  ///   it takes longer than the limit.
  func ask(
    _ method: String, _ path: String, body: [UInt8] = [], maxAnswerBytes: Int = 1 << 20
  ) throws(BulkError) -> Answer? {
    guard let connection = connected() else { return nil }
    var head =
      "\(method) \(prefix)\(path) HTTP/1.1\r\nHost: \(authority)\r\nConnection: close\r\n"
    if let key { head += "Authorization: Bearer \(key)\r\n" }
    if method == "POST" {
      head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
    }
    do throws(ClientConnection.Failure) {
      try connection.send(Array((head + "\r\n").utf8) + body)
    } catch {
      return try none(connection, error)
    }
    return try receive(from: connection, limit: maxAnswerBytes)
  }

  /// What a connection that failed means for the caller: nil, if the request may be sent again.
  private func none(
    _ connection: ClientConnection, _ failure: ClientConnection.Failure
  ) throws(BulkError) -> Answer? {
    if case .late = failure {
      throw BulkError(
        "the service at \(authority) took more than \(timeLimit) s for a request and its answer")
    }
    guard let reason = connection.distrust else { return nil }
    throw BulkError(
      "the certificate of \(authority) is not trusted: \(reason); if its authority is your own, name "
        + "its file in SSL_CERT_FILE")
  }

  private func connected() -> ClientConnection? {
    let deadline = ContinuousClock.now + .seconds(timeLimit)
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(host, port, &hints, &found) == 0 else { return nil }
    defer { unsafe freeaddrinfo(found) }
    var next = unsafe found
    while let address = unsafe next {
      if let connection = unsafe ClientConnection(
        address.pointee, host: host, patience: patience, until: deadline, tls: tls)
      {
        return connection
      }
      unsafe next = address.pointee.ai_next
    }
    return nil
  }

  /// The answer, up to the connection's end.
  private func receive(
    from connection: ClientConnection, limit: Int
  ) throws(BulkError) -> Answer? {
    var bytes: [UInt8] = []
    var headEnd: Int?
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count: Int
      do throws(ClientConnection.Failure) {
        count = try connection.receive(into: &piece)
      } catch {
        return try none(connection, error)
      }
      if count == 0 { break }
      // The blank line may have begun before.
      let unread = max(0, bytes.count - 3)
      bytes += piece[..<count]
      if headEnd == nil { headEnd = Self.blankLine(in: bytes[unread...]) }
      guard headEnd ?? bytes.count <= Self.maxHeadBytes else {
        throw BulkError(
          "the service at \(authority) sent an HTTP answer whose head is longer than "
            + "\(Self.maxHeadBytes) bytes")
      }
      guard bytes.count <= limit else {
        throw BulkError(
          "the service at \(authority) sent more than the \(limit) bytes that its answer may have")
      }
    }
    guard let headEnd else { return nil }
    return try parse(bytes, headEnd: headEnd, limit: limit)
  }

  private static func blankLine(in bytes: ArraySlice<UInt8>) -> Int? {
    bytes.indices.dropLast(3).first {
      bytes[$0] == 13 && bytes[$0 + 1] == 10 && bytes[$0 + 2] == 13 && bytes[$0 + 3] == 10
    }
  }

  /// Nil for what is not whole.
  private func parse(
    _ bytes: [UInt8], headEnd: Int, limit: Int
  ) throws(BulkError) -> Answer? {
    let lines = RawText(String(decoding: bytes[..<headEnd], as: UTF8.self)).split(10)
    let words = (lines[0].dropping(suffix: "\r") ?? lines[0]).split(32)
    guard words.count >= 2, let status = Untrusted<Int>(words[1].string)?.within(100...999) else {
      throw malformed("status line")
    }
    var answer = Answer(status: status)
    for line in lines.dropFirst() {
      let parts = line.split(UInt8(ascii: ":"), maxSplits: 1)
      guard parts.count == 2 else { continue }
      let value = parts[1].dropping(suffix: "\r") ?? parts[1]
      answer.fields[parts[0].asciiLowercased] = value.trimmed
    }
    let body = bytes[(headEnd + 4)...]
    if answer.fields["transfer-encoding"]?.asciiLowercased == "chunked" {
      guard let whole = try unchunked(body, limit: limit) else { return nil }
      answer.body = whole
    } else {
      guard let claimed = answer.fields["content-length"].flatMap({ Untrusted<UInt64>($0.string) }),
        let length = claimed.within(body.count...limit)
      else { throw malformed("Content-Length") }
      guard length == body.count else { return nil }
      answer.body = Array(body)
    }
    return answer
  }

  /// RFC 9112, section 7.1; trailers are passed over. Nil for what is not whole.
  private func unchunked(
    _ bytes: ArraySlice<UInt8>, limit: Int
  ) throws(BulkError) -> [UInt8]? {
    var rest = bytes
    var body: [UInt8] = []
    while let end = rest.firstIndex(of: 10) {
      let digits = rest[..<end].prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: ";") }
      guard let claimed = Untrusted<UInt64>(hexadecimal: digits.span),
        let size = claimed.within(0...limit)
      else { throw malformed("chunk size") }
      rest = rest[(end + 1)...]
      if size == 0 { return body }
      guard rest.count - 2 >= size else { return nil }
      body += rest.prefix(size)
      rest = rest.dropFirst(size + 2)
    }
    return nil
  }

  private func malformed(_ part: String) -> BulkError {
    BulkError("the service at \(authority) sent an HTTP answer with an invalid \(part)")
  }
}
