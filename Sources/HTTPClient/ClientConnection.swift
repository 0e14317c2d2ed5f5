import COpenSSL
import Glibc

/// A connection to a service that may be silent, or send a byte now and then: it has a limit of time
/// for both, from `connect` on.
@safe
final class ClientConnection {
  /// Why nothing more comes.
  enum Failure: Error {
    case broken
    /// All together took too long.
    case late
  }

  private let socket: Int32
  private let session: OpaquePointer?
  /// Milliseconds without a byte in either direction.
  private let patience: Int32
  private let deadline: ContinuousClock.Instant

  /// - Parameters:
  ///   - host: whose certificate is wanted, with `tls`.
  ///   - patience: seconds that it may be silent.
  ///   - tls: a client's context, or nil for plain bytes.
  /// - Returns: nil if the address does not accept a connection.
  init?(
    _ address: addrinfo, host: String, patience: Int, until deadline: ContinuousClock.Instant,
    tls: OpaquePointer?
  ) {
    let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = unsafe Glibc.socket(address.ai_family, address.ai_socktype | flags, 0)
    self.socket = socket
    self.patience = 1000 * Int32(min(max(patience, 0), 86_400))
    self.deadline = deadline
    unsafe session = tls.flatMap { unsafe tls_session_new($0, socket) }
    guard socket >= 0, unsafe isConnected(to: address) else { return nil }
    guard unsafe tls != nil else { return }
    guard let session = unsafe session, unsafe tls_expect(session, host) else { return nil }
  }

  deinit {
    if let session = unsafe session { unsafe tls_session_free(session) }
    close(socket)
  }

  /// What libssl has against the service's certificate; nil if nothing.
  var distrust: String? {
    guard let session = unsafe session, unsafe tls_is_distrusted(session) else { return nil }
    return unsafe String(cString: tls_reason(session))
  }

  private func isConnected(to address: addrinfo) -> Bool {
    if unsafe connect(socket, address.ai_addr, address.ai_addrlen) == 0 { return true }
    guard errno == EINPROGRESS, (try? wait(for: POLLOUT)) != nil else { return false }
    var fault: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && fault == 0
  }

  func send(_ bytes: [UInt8]) throws(Failure) {
    var start = 0
    while start < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { bytes in
        let rest = unsafe bytes.baseAddress?.advanced(by: start)
        if let session = unsafe session {
          return unsafe tls_send(session, rest, bytes.count - start, nil, 0)
        }
        return unsafe Glibc.send(socket, rest, bytes.count - start, Int32(MSG_NOSIGNAL))
      }
      if count > 0 { start += count } else { try waitAfter(count, else: POLLOUT) }
    }
  }

  /// Receives some bytes.
  ///
  /// - Returns: how many; 0 at the end.
  func receive(into piece: inout [UInt8]) throws(Failure) -> Int {
    while true {
      // A service that always has more would never be waited for.
      guard ContinuousClock.now < deadline else { throw .late }
      let capacity = piece.count
      let count =
        if let session = unsafe session {
          unsafe tls_receive(session, &piece, capacity)
        } else {
          unsafe recv(socket, &piece, capacity, 0)
        }
      if count >= 0 { return count }
      try waitAfter(count, else: POLLIN)
    }
  }

  /// Waits until a transfer that would have blocked can go on.
  ///
  /// - Parameters:
  ///   - count: what it returned.
  ///   - events: what it waits for without TLS.
  private func waitAfter(_ count: Int, else events: Int32) throws(Failure) {
    if let session = unsafe session {
      guard count == TLS_WOULD_BLOCK else { throw .broken }
      return try wait(for: unsafe tls_wants_write(session) ? POLLOUT : POLLIN)
    }
    if count < 0, errno == EINTR { return }
    guard count < 0, errno == EAGAIN || errno == EWOULDBLOCK else { throw .broken }
    try wait(for: events)
  }

  private func wait(for events: Int32) throws(Failure) {
    while true {
      let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
      guard left > 0 else { throw .late }
      var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
      let count = unsafe poll(&entry, 1, Int32(min(Double(patience), left.rounded(.up))))
      if count > 0 { return }
      if count < 0, errno == EINTR { continue }
      if count < 0 || left > Double(patience) { throw .broken }
    }
  }
}
