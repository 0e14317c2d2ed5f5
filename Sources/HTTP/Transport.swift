/// What a connection sends and receives through: a socket, or TLS over it.
struct Transport {
  let socket: Socket
  private var tls: TLSSession?
  /// All is sent, and what comes is thrown away: nobody needs to decrypt it.
  private var isOver = false

  /// Nil without memory for a session: what is to be secret is not said in the open then.
  init?(_ socket: Socket, _ context: TLSContext?) {
    self.socket = socket
    guard let context else { return }
    guard let session = TLSSession(context, socket) else { return nil }
    tls = session
  }

  var isTLS: Bool { tls != nil }

  /// Why there was no handshake; nil if there was one, or none was due.
  var handshakeFailure: String? {
    guard let tls, !tls.isEstablished, !tls.reason.isEmpty else { return nil }
    return tls.reason
  }

  func receive(into buffer: inout [UInt8]) -> Transfer {
    guard let tls, !isOver else { return socket.receive(into: &buffer) }
    return tls.receive(into: &buffer)
  }

  func send(_ first: ByteSpan, _ second: ByteSpan) -> Transfer {
    tls?.send(first, second) ?? socket.send(first, second)
  }

  /// The client speaks plain HTTP, and is answered so.
  mutating func leaveTLS() { tls = nil }

  mutating func endOutput() {
    isOver = true
    tls?.endOutput()
    socket.endOutput()
  }

  /// - Parameter abruptly: with RST, so that the other end does not take what it has for all.
  func close(abruptly: Bool) {
    if !abruptly, !isOver { tls?.endOutput() }
    socket.close(abruptly: abruptly)
  }
}
