package import Dispatch
import HTTP
import Serving

/// Rendering of answers, off the I/O and compute threads.
package let serializeQueue = DispatchQueue(label: "bert-server.serialize", attributes: .concurrent)

/// A large answer, rendered a piece at a time as the client takes it.
package final class AnswerSource: BodySource {
  /// Bytes of one piece.
  package static let pieceSize = 128 << 10
  /// Bytes that a streamed answer takes: a piece that is being sent, and the next one.
  package static let memoryBytes = 2 * (pieceSize + pieceSize / 8)

  private let cursor: Locked<AnswerCursor>

  package init(_ cursor: AnswerCursor) { self.cursor = Locked(cursor) }

  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
    serializeQueue.async { [self] in
      var bytes: [UInt8] = []
      bytes.reserveCapacity(Self.pieceSize + Self.pieceSize / 8)
      cursor.withLock { $0.write(into: &bytes, until: Self.pieceSize) }
      deliver(bytes.isEmpty ? .end : .bytes(bytes))
    }
  }

  /// Nothing runs ahead of the client.
  func abandon() {}
}
