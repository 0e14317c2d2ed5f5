import Bulk
import COpenSSL
import Glibc
import UntrustedInput

/// Asks a service, a connection a request.
///
/// `@unchecked Sendable`: `tls` is never written, and libssl makes sessions of a context on any thread.
@safe
struct HTTPClient: @unchecked Sendable {
  struct Answer {
    var status = 0
    /// Names in lower case.
    var fields: [String: String] = [:]
    var body: [UInt8] = []
  }

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
  /// Nil: plain. Never freed: it lives as long as the command.
  private let tls: OpaquePointer?

  /// - Parameters:
  ///   - patience: seconds that a connection may say nothing.
  ///   - tls: a client's context, or nil for plain HTTP.
  init(host: String, port: String, patience: Int, tls: OpaquePointer? = nil) {
    self.host = host
    self.port = port
    authority = "\(host):\(port)"
    prefix = ""
    key = nil
    self.patience = patience
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
  /// - Throws: `BulkError` if the service's certificate is not to be trusted, or its answer is not
  ///   HTTP.
  func ask(
    _ method: String, _ path: String, body: [UInt8] = [], maxAnswerBytes: Int = 1 << 20
  ) throws(BulkError) -> Answer? {
    guard let socket = connected() else { return nil }
    defer { close(socket) }
    var session: OpaquePointer?
    defer { if let session = unsafe session { unsafe tls_session_free(session) } }
    if let tls = unsafe tls {
      unsafe session = tls_session_new(tls, socket)
      guard let session = unsafe session, unsafe tls_expect(session, host) else { return nil }
    }
    var head =
      "\(method) \(prefix)\(path) HTTP/1.1\r\nHost: \(authority)\r\nConnection: close\r\n"
    if let key { head += "Authorization: Bearer \(key)\r\n" }
    if method == "POST" {
      head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
    }
    guard unsafe Self.send(Array((head + "\r\n").utf8) + body, to: socket, session),
      let bytes = unsafe Self.receive(from: socket, session, limit: maxAnswerBytes)
    else {
      guard let session = unsafe session, unsafe tls_is_distrusted(session) else { return nil }
      throw BulkError(
        "the certificate of \(authority) is not trusted: \(unsafe String(cString: tls_reason(session))); "
          + "if its authority is your own, name its file in SSL_CERT_FILE")
    }
    guard bytes.count <= maxAnswerBytes else {
      throw BulkError(
        "the service at \(authority) sent more than the \(maxAnswerBytes) bytes that its answer "
          + "may have")
    }
    return try parse(bytes, limit: maxAnswerBytes)
  }

  private func connected() -> Int32? {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(host, port, &hints, &found) == 0 else { return nil }
    defer { unsafe freeaddrinfo(found) }
    var next = unsafe found
    while let address = unsafe next {
      let socket = unsafe socket(
        address.pointee.ai_family, address.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
      var limit = timeval(tv_sec: patience, tv_usec: 0)
      let size = socklen_t(MemoryLayout<timeval>.size)
      unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
      unsafe setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
      if unsafe connect(socket, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 {
        return socket
      }
      close(socket)
      unsafe next = address.pointee.ai_next
    }
    return nil
  }

  private static func send(
    _ bytes: [UInt8], to socket: Int32, _ session: OpaquePointer?
  ) -> Bool {
    var start = 0
    while start < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { bytes in
        let rest = unsafe bytes.baseAddress?.advanced(by: start)
        if let session = unsafe session {
          return unsafe tls_send(session, rest, bytes.count - start, nil, 0)
        }
        return unsafe Glibc.send(socket, rest, bytes.count - start, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      start += count
    }
    return true
  }

  /// Everything up to the end, or a little more than the limit; nil if it breaks off.
  private static func receive(
    from socket: Int32, _ session: OpaquePointer?, limit: Int
  ) -> [UInt8]? {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let capacity = piece.count
      let count =
        if let session = unsafe session {
          unsafe tls_receive(session, &piece, capacity)
        } else {
          unsafe recv(socket, &piece, capacity, 0)
        }
      if count == 0 { return bytes }
      guard count > 0 else { return nil }
      bytes += piece[..<count]
      if bytes.count > limit { return bytes }
    }
  }

  /// Nil for what is not whole.
  private func parse(_ bytes: [UInt8], limit: Int) throws(BulkError) -> Answer? {
    guard
      let end = bytes.indices.dropLast(3).first(where: {
        bytes[$0] == 13 && bytes[$0 + 1] == 10 && bytes[$0 + 2] == 13 && bytes[$0 + 3] == 10
      })
    else { return nil }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count >= 2, let status = Untrusted<Int>(words[1])?.within(100...999) else {
      throw malformed("status line")
    }
    var answer = Answer(status: status)
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      answer.fields[line[..<colon].lowercased()] = String(value)
    }
    let body = bytes[(end + 4)...]
    if answer.fields["transfer-encoding"]?.lowercased() == "chunked" {
      guard let whole = try unchunked(body, limit: limit) else { return nil }
      answer.body = whole
    } else {
      guard let claimed = answer.fields["content-length"].flatMap({ Untrusted<UInt64>($0) }),
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
