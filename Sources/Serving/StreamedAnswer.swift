import HTTP

/// A streamed answer that tells how it ended, once.
final class StreamedAnswer: BodySource {
  enum End: Sendable {
    case whole
    /// The source failed, and the connection is broken off.
    case failed
    /// The client is gone.
    case abandoned
  }

  private let source: any BodySource
  /// Nil once it was called.
  private let ended: Locked<(@Sendable (End) -> Void)?>

  /// - Parameter ended: called before the last bytes are sent, or when there will be no more.
  init(_ source: any BodySource, ended: @escaping @Sendable (End) -> Void) {
    self.source = source
    self.ended = Locked(ended)
  }

  deinit { end(.abandoned) }

  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
    source.next { [self] piece in
      switch piece {
      case .bytes: break
      case .end: end(.whole)
      case .failed: end(.failed)
      }
      deliver(piece)
    }
  }

  func abandon() {
    source.abandon()
    end(.abandoned)
  }

  private func end(_ end: End) {
    let ended = ended.withLock { ended in
      defer { ended = nil }
      return ended
    }
    ended?(end)
  }
}
