import CPlatform
import Dispatch
import Glibc

/// Takes new connections and hands each to the I/O queue of its descriptor.
///
/// `@unchecked Sendable`: what changes does so on the queue of `events` only.
final class Acceptor: @unchecked Sendable {
  private let events: EventSource
  private var listener: Socket?
  private let occupancy: Occupancy
  private let ioQueues: [IOQueue]
  private let log: @Sendable (ServerEvent) -> Void
  /// The timer is set: until then no new client is a reason to try.
  private var isRetrying = false
  /// Said once, until a connection is accepted again.
  private var saidError: Int32 = 0

  /// With no descriptor, memory or place left others must end first.
  private static let retryAfter = Duration.milliseconds(100)

  init(
    listener: Socket, occupancy: Occupancy, ioQueues: [IOQueue],
    log: @escaping @Sendable (ServerEvent) -> Void
  ) throws(HTTPServerError) {
    guard let events = EventSource(label: "http.accept") else {
      let error = errno
      listener.close(abruptly: false)
      throw .outOfResources(errno: error)
    }
    // From here on `deinit` closes the listener, also when this throws.
    self.events = events
    self.listener = listener
    self.occupancy = occupancy
    self.ioQueues = ioQueues
    self.log = log
    events.start(
      onReady: { [weak self] _, _ in
        guard let self, !isRetrying else { return }
        acceptAll()
      },
      onTimer: { [weak self] in
        self?.isRetrying = false
        self?.acceptAll()
      })
    guard events.add(listener.descriptor, token: 0) else { throw .outOfResources(errno: errno) }
  }

  deinit {
    listener?.close(abruptly: false)
  }

  /// Closes the listener, then calls `completion`, on the acceptor's queue.
  func stop(_ completion: @escaping @Sendable () -> Void) {
    events.perform { [self] in
      listener?.close(abruptly: false)
      listener = nil
      completion()
    }
  }

  /// Accepts until nobody waits.
  private func acceptAll() {
    dispatchPrecondition(condition: .onQueue(events.queue))
    while let listener {
      var address = sockaddr_storage()
      var length = socklen_t()
      // The pointers are used during the call only.
      let descriptor = unsafe platform_accept4(listener.descriptor, &address, &length)
      if descriptor >= 0 {
        saidError = 0
        let socket = Socket(descriptor: descriptor)
        let admission = occupancy.admit { SocketAddress.network(address) }
        queue(for: admission, descriptor).adopt(
          socket, remoteAddress: SocketAddress.text(address, length), admission: admission)
        continue
      }
      let error = errno
      switch error {
      case EAGAIN: return
      case EINTR, ECONNABORTED: continue
      default:
        if error != saidError { log(.acceptFailed(errno: error)) }
        saidError = error
        return retryLater()
      }
    }
  }

  /// Connections are spread evenly; one over the limit goes where another can make room for it.
  private func queue(for admission: Occupancy.Admission, _ descriptor: Int32) -> IOQueue {
    let own = ioQueues[Int(descriptor) % ioQueues.count]
    guard !admission.isServed, !own.hasWaitingConnections else { return own }
    return ioQueues.first(where: \.hasWaitingConnections) ?? own
  }

  /// Edge-triggered readiness does not repeat itself: whoever waits now must be looked for.
  private func retryLater() {
    isRetrying = true
    events.setTimer(after: Self.retryAfter)
  }
}
