import CPlatform
import Dispatch
import Glibc
import Synchronization

/// Takes new connections and hands each to the I/O queue of its descriptor.
///
/// `@unchecked Sendable`: `listener` changes on the queue of `events` only.
final class Acceptor: @unchecked Sendable {
  private let events: EventSource
  private var listener: Socket?
  private let occupancy: Occupancy
  private let ioQueues: [IOQueue]
  private let log: @Sendable (ServerEvent) -> Void

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
    self.events = events
    self.listener = listener
    self.occupancy = occupancy
    self.ioQueues = ioQueues
    self.log = log
    events.start(
      onReady: { [weak self] _, _ in self?.acceptAll() },
      onTimer: { [weak self] in self?.acceptAll() })
    guard events.add(listener.descriptor, token: 0) else {
      let error = errno
      listener.close(abruptly: false)
      throw .outOfResources(errno: error)
    }
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

  /// Accepts until nobody waits, or there is no room even to say so; the kernel's backlog holds
  /// the rest.
  private func acceptAll() {
    while let listener {
      guard let admission = occupancy.admit() else { return retryLater() }
      var address = sockaddr_storage()
      var length = socklen_t()
      // The pointers are used during the call only.
      let descriptor = unsafe platform_accept4(listener.descriptor, &address, &length)
      if descriptor >= 0 {
        ioQueues[Int(descriptor) % ioQueues.count].adopt(
          Socket(descriptor: descriptor), remoteAddress: SocketAddress.text(address, length),
          admission: admission)
        continue
      }
      let error = errno
      occupancy.leave(admission)
      switch error {
      case EAGAIN: return
      case EINTR, ECONNABORTED: continue
      default:
        log(.acceptFailed(errno: error))
        return retryLater()
      }
    }
  }

  /// Edge-triggered readiness does not repeat itself: whoever waits now must be looked for.
  private func retryLater() {
    events.setTimer(after: Self.retryAfter)
  }
}

/// How many connections there are, of those that are served and those only told that there are too
/// many.
final class Occupancy: Sendable {
  enum Admission {
    case served
    case rejected
  }

  /// Rejected connections at a time; further ones wait in the backlog.
  private static let maxRejected = 64

  private let maxServed: Int
  private let served = Atomic(0)
  private let rejected = Atomic(0)
  /// Open connections of both kinds.
  let group = DispatchGroup()

  init(maxServed: Int) {
    self.maxServed = maxServed
  }

  /// Takes a place; nil if there is none of either kind. On one queue only.
  func admit() -> Admission? {
    let admission: Admission
    if served.load(ordering: .relaxed) < maxServed {
      served.add()
      admission = .served
    } else if rejected.load(ordering: .relaxed) < Self.maxRejected {
      rejected.add()
      admission = .rejected
    } else {
      return nil
    }
    group.enter()
    return admission
  }

  func leave(_ admission: Admission) {
    switch admission {
    case .served: served.add(-1)
    case .rejected: rejected.add(-1)
    }
    group.leave()
  }
}
