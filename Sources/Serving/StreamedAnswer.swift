import HTTP

/// A streamed answer that tells when it is over, once.
final class StreamedAnswer: BodySource {
  private let source: any BodySource
  /// Nil once it was called.
  private let ended: Locked<(@Sendable (_ isWhole: Bool) -> Void)?>

  /// - Parameter ended: called before the last bytes are sent, or when the client is gone.
  init(_ source: any BodySource, ended: @escaping @Sendable (_ isWhole: Bool) -> Void) {
    self.source = source
    self.ended = Locked(ended)
  }

  deinit { end(isWhole: false) }

  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
    source.next { [self] piece in
      switch piece {
      case .bytes: break
      // Where it is broken off, its status was sent.
      case .end, .failed: end(isWhole: true)
      }
      deliver(piece)
    }
  }

  func abandon() {
    source.abandon()
    end(isWhole: false)
  }

  private func end(isWhole: Bool) {
    let ended = ended.withLock { ended in
      defer { ended = nil }
      return ended
    }
    ended?(isWhole)
  }
}
