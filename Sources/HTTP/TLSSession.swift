import COpenSSL

/// TLS over one socket. The handshake is part of the first transfers.
@safe
final class TLSSession {
  private let session: OpaquePointer

  /// Nil without memory.
  init?(_ context: TLSContext, _ socket: Socket) {
    guard let session = unsafe tls_session_new(context.context, socket.descriptor) else {
      return nil
    }
    unsafe self.session = session
  }

  deinit {
    unsafe tls_session_free(session)
  }

  func receive(into buffer: inout [UInt8]) -> Transfer {
    // The buffer does not leave the closure, and is not empty.
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
      unsafe bytes.baseAddress.map { unsafe tls_receive(session, $0, bytes.count) } ?? 0
    }
    return unsafe transfer(count, isAll: tls_is_read_up(session))
  }

  func send(_ first: ByteSpan, _ second: ByteSpan) -> Transfer {
    // The buffers do not leave the closures.
    let count = unsafe first.withUnsafeBufferPointer { first in
      unsafe second.withUnsafeBufferPointer { second in
        unsafe tls_send(
          session, first.baseAddress, first.count, second.baseAddress, second.count)
      }
    }
    return unsafe transfer(count, isAll: tls_is_full(session))
  }

  private func transfer(_ count: Int, isAll: @autoclosure () -> Bool) -> Transfer {
    switch count {
    case TLS_END: .end
    case TLS_WOULD_BLOCK: .wouldBlock
    case TLS_FAILED: .failed
    case TLS_PLAIN_HTTP: .plainHTTP
    default: .bytes(count, isAll: isAll())
    }
  }

  func endOutput() { unsafe tls_end_output(session) }

  var isEstablished: Bool { unsafe tls_is_established(session) }

  /// The last failure in libssl's words.
  var reason: String { unsafe String(cString: tls_reason(session)) }
}
