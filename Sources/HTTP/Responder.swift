import Synchronization

/// Answers one request, once. Dropped without an answer it answers 500 by itself.
public final class Responder: Sendable {
  private enum State {
    case waiting([@Sendable () -> Void])
    case cancelled
    case answered
  }

  private let connection: Connection
  private let requestNumber: Int
  private let request: any HandledRequest
  private let path: String
  private let state = Mutex(State.waiting([]))

  init(
    connection: Connection, requestNumber: Int, request: any HandledRequest, path: String
  ) {
    self.connection = connection
    self.requestNumber = requestNumber
    self.request = request
    self.path = path
  }

  deinit {
    let wasWaiting = state.withLock { state in
      if case .waiting = state { return true }
      return false
    }
    if wasWaiting { connection.lost(requestNumber, request, path: path) }
  }

  /// Gives the answer, from any thread. A second one is ignored; so is one for a client that is
  /// gone, but its body source is told.
  public func respond(_ response: Response) {
    let before = state.withLock { state in
      let before = state
      state = .answered
      return before
    }
    switch before {
    case .waiting: connection.answer(response, to: requestNumber)
    case .cancelled: if case .stream(let source, _) = response.body { source.abandon() }
    case .answered: break
    }
  }

  /// Calls `action` when the client is gone before its answer: at once if it already is, never
  /// after `respond`. On the I/O queue: must not block.
  public func onCancel(_ action: @escaping @Sendable () -> Void) {
    let isCancelled = state.withLock { state in
      switch state {
      case .waiting(let actions):
        state = .waiting(actions + [action])
        return false
      case .cancelled: return true
      case .answered: return false
      }
    }
    if isCancelled { action() }
  }

  public var isCancelled: Bool {
    state.withLock { state in
      if case .cancelled = state { return true }
      return false
    }
  }

  /// Returns whether there was still someone to tell.
  func cancel() -> Bool {
    let actions: [@Sendable () -> Void]? = state.withLock { state in
      guard case .waiting(let actions) = state else { return nil }
      state = .cancelled
      return actions
    }
    guard let actions else { return false }
    for action in actions { action() }
    return true
  }
}
