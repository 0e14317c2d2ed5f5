import COpenSSL
import Glibc

/// A blocking socket that sends what it is told and reads what comes, for at most ten seconds; with
/// TLS on it if its server has that.
@safe
final class RawClient {
  let descriptor: Int32
  /// Nil: plain.
  private var session: OpaquePointer?
  private var received: [UInt8] = []
  private(set) var isAtEnd = false
  /// The end was a reset, not a FIN.
  private(set) var wasReset = false

  /// A test's own server lives as long as its clients.
  private let server: TestServer?

  /// - Parameters:
  ///   - plain: without TLS, whatever the server has.
  ///   - certificate: what the client shows if it is asked who it is.
  convenience init(
    _ server: TestServer, receiveBuffer: Int32? = nil, plain: Bool = false,
    certificate: Certificate? = nil
  ) {
    self.init(
      port: server.port, door: plain ? .plain : server.door, receiveBuffer: receiveBuffer,
      certificate: certificate, keeping: server)
  }

  init(
    port: Int, door: Door = .plain, receiveBuffer: Int32? = nil, certificate: Certificate? = nil,
    keeping server: TestServer? = nil
  ) {
    self.server = server
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if let receiveBuffer { set(SO_RCVBUF, receiveBuffer) }
    set(SO_RCVTIMEO, timeval(tv_sec: 30, tv_usec: 0))
    set(SO_SNDTIMEO, timeval(tv_sec: 10, tv_usec: 0))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = unsafe withUnsafeBytes(of: &address) { bytes in
      unsafe connect(
        descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
        socklen_t(bytes.count))
    }
    if status != 0 { isAtEnd = true }
    if door == .plain { return }
    var fault = tls_fault()
    guard
      let context = unsafe tls_unverified_client_context(
        certificate?.certificate, certificate?.key, &fault)
    else { return }
    unsafe session = tls_session_new(context, descriptor)
    unsafe tls_context_free(context)
  }

  deinit {
    if let session = unsafe session { unsafe tls_session_free(session) }
    close(descriptor)
  }

  private func set<Value: BitwiseCopyable>(_ name: Int32, _ value: Value) {
    var value = value
    _ = unsafe setsockopt(
      descriptor, SOL_SOCKET, name, &value, socklen_t(MemoryLayout<Value>.size))
  }

  /// Returns false if the other end does not take it all.
  @discardableResult
  func send(_ bytes: some Sequence<UInt8>) -> Bool {
    let bytes = Array(bytes)
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { bytes in
        let rest = unsafe bytes.baseAddress?.advanced(by: sent)
        if let session = unsafe session {
          return unsafe tls_send(session, rest, bytes.count - sent, nil, 0)
        }
        return unsafe Glibc.send(descriptor, rest, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  @discardableResult
  func send(_ text: String) -> Bool { send(text.utf8) }

  func endOutput() {
    if let session = unsafe session { unsafe tls_end_output(session) }
    _ = shutdown(descriptor, Int32(SHUT_WR))
  }

  /// Closes with RST when the object goes.
  func resetOnClose() { set(SO_LINGER, linger(l_onoff: 1, l_linger: 0)) }

  /// Reads once; false at the end, or after ten seconds.
  @discardableResult
  func readOnce() -> Bool {
    if isAtEnd { return false }
    var buffer = [UInt8](repeating: 0, count: 65536)
    let capacity = buffer.count
    errno = 0
    let count =
      if let session = unsafe session {
        unsafe tls_receive(session, &buffer, capacity)
      } else {
        unsafe recv(descriptor, &buffer, capacity, 0)
      }
    if count <= 0 {
      isAtEnd = count == 0 || errno == ECONNRESET
      wasReset = count < 0 && errno == ECONNRESET
      return false
    }
    received += buffer[..<count]
    return true
  }

  func response(isHead: Bool = false) -> RawResponse? {
    while true {
      if let response = RawResponse.take(from: &received, isHead: isHead, isOver: isAtEnd) {
        return response
      }
      if !readOnce(), !isAtEnd || received.isEmpty { return nil }
      if isAtEnd {
        return RawResponse.take(from: &received, isHead: isHead, isOver: true)
      }
    }
  }

  /// Everything up to the end; nil if the end does not come.
  func rest() -> [UInt8]? {
    while readOnce() {}
    defer { received = [] }
    return isAtEnd ? received : nil
  }
}
