import COpenSSL
import Glibc

/// Asks a service, a connection a request.
///
/// `@unchecked Sendable`: nothing changes after `init`; libssl makes sessions of a context on any thread.
@safe
public struct HTTPClient: @unchecked Sendable {
  /// Bytes of a status line and the fields.
  private static let maxHeadBytes = 64 << 10

  private let host: String
  private let port: String
  /// Both, as they stand in the address.
  public let authority: String
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
  public init(host: String, port: String, timeLimit: Int, tls: OpaquePointer? = nil) {
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
  /// - Throws: `notAnAddress`, `noHostAndPort` or `outOfMemory`.
  public init(url: String, key: String?) throws(HTTPClientError) {
    let address = try ServiceAddress(url)
    host = address.host
    port = address.port
    authority = address.authority
    prefix = address.prefix
    self.key = key
    patience = 120
    timeLimit = 600
    var fault = tls_fault()
    unsafe tls = address.isSecure ? unsafe tls_client_context(&fault) : nil
    if address.isSecure, unsafe tls == nil { throw .outOfMemory }
  }

  /// The whole answer; nil if there was none, or not all of it.
  ///
  /// - Parameter maxAnswerBytes: of the head and the body together.
  /// - Throws: if the service's certificate is not to be trusted, its answer is not HTTP, or it takes
  ///   longer than the limit.
  public func ask(
    _ method: String, _ path: String, body: [UInt8] = [], maxAnswerBytes: Int = 1 << 20
  ) throws(HTTPClientError) -> Answer? {
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
  ) throws(HTTPClientError) -> Answer? {
    if case .late = failure {
      throw .late(authority: authority, seconds: timeLimit)
    }
    guard let reason = connection.distrust else { return nil }
    throw .distrusted(authority: authority, reason: reason)
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

  /// The answer, up to its own end: a server may leave the connection open.
  private func receive(
    from connection: ClientConnection, limit: Int
  ) throws(HTTPClientError) -> Answer? {
    var reader = AnswerReader()
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count: Int
      do throws(ClientConnection.Failure) {
        count = try connection.receive(into: &piece)
      } catch {
        return try none(connection, error)
      }
      reader.append(piece[..<count])
      guard reader.headBytes <= Self.maxHeadBytes else {
        throw .headTooLong(authority: authority, limit: Self.maxHeadBytes)
      }
      guard reader.byteCount <= limit else {
        throw .answerTooLong(authority: authority, limit: limit)
      }
      do throws(Answer.Malformed) {
        if let answer = try reader.next(limit: limit) { return answer }
        guard count > 0 else {
          try reader.end()
          return nil
        }
      } catch {
        throw .malformed(authority: authority, part: error.part)
      }
    }
  }
}
