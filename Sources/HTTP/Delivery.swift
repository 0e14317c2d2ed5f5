import Synchronization

/// Delivers one piece of a body, once. Dropped without one it breaks the answer off by itself, so
/// that a client never waits for a source that has forgotten it.
final class Delivery: Sendable {
  private let connection: Connection
  private let requestNumber: Int
  private let isDone = Atomic(false)

  init(connection: Connection, requestNumber: Int) {
    self.connection = connection
    self.requestNumber = requestNumber
  }

  deinit {
    if !isDone.load(ordering: .relaxed) { connection.lostPiece(requestNumber) }
  }

  func perform(_ piece: BodyPiece) {
    if isDone.exchange(true, ordering: .relaxed) { return }
    connection.deliver(piece, to: requestNumber)
  }
}
