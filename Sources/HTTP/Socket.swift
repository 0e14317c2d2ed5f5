import CPlatform
import Glibc

/// What became of one try to receive or send.
enum Transfer {
  /// - Parameter isAll: there is no more to receive, or no more room to send, for now.
  case bytes(Int, isAll: Bool)
  case wouldBlock
  /// The other end has sent its last byte.
  case end
  case failed
  /// Bytes that are no TLS, but HTTP without it.
  case plainHTTP
}

/// The calls made on a connected socket.
struct Socket {
  let descriptor: Int32

  func receive(into buffer: inout [UInt8]) -> Transfer {
    while true {
      // The buffer does not leave the closure.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
      }
      if count > 0 { return .bytes(count, isAll: count < buffer.count) }
      if count == 0 { return .end }
      if errno == EINTR { continue }
      return errno == EAGAIN ? .wouldBlock : .failed
    }
  }

  func send(_ first: ByteSpan, _ second: ByteSpan) -> Transfer {
    while true {
      // The buffers do not leave the closures.
      let count = unsafe first.withUnsafeBufferPointer { first in
        unsafe second.withUnsafeBufferPointer { second in
          unsafe platform_send(
            descriptor, first.baseAddress, first.count, second.baseAddress, second.count)
        }
      }
      if count >= 0 { return .bytes(count, isAll: count < first.count + second.count) }
      if errno == EINTR { continue }
      return errno == EAGAIN ? .wouldBlock : .failed
    }
  }

  /// Bytes that were sent and that the client's system has not taken.
  var unacknowledgedBytes: Int { Int(platform_unacknowledged_bytes(descriptor)) }

  func endOutput() {
    _ = shutdown(descriptor, Int32(SHUT_WR))
  }

  /// - Parameter abruptly: with RST, so that the other end does not take what it has for all.
  func close(abruptly: Bool) {
    if abruptly {
      setOption(SOL_SOCKET, SO_LINGER, linger(l_onoff: 1, l_linger: 0))
    }
    // Linux frees the descriptor whatever close returns; a second try could close another's.
    _ = Glibc.close(descriptor)
  }

  func setOption<Value: BitwiseCopyable>(_ level: Int32, _ name: Int32, _ value: Value) {
    var value = value
    // The pointer is used during the call only; the types are the C ones the options take.
    _ = unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Value>.size))
  }
}
