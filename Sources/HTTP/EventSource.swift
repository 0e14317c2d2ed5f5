import CPlatform
import Dispatch
import Glibc
import Synchronization

/// What became true of a descriptor since it was last told.
struct Readiness {
  let bits: UInt32

  var isReadable: Bool { bits & UInt32(PLATFORM_READABLE) != 0 }
  var isWritable: Bool { bits & UInt32(PLATFORM_WRITABLE) != 0 }
  /// FIN has come, behind what is unread.
  var peerClosed: Bool { bits & UInt32(PLATFORM_PEER_CLOSED) != 0 }
  var isBroken: Bool { bits & UInt32(PLATFORM_BROKEN) != 0 }
}

/// A serial queue, and the readiness of many descriptors told on it.
///
/// One `DispatchSource` watches one epoll descriptor, which watches the rest. A source per socket
/// costs about ten system calls a request and has sharp edges on Linux: a descriptor closed too
/// early, a hang-up told once and merged with data, armed write sources that spin, suspend counts
/// that trap. Here the only source lives as long as the queue; a descriptor is added once,
/// edge-triggered, and leaves when it is closed.
///
/// Waking the queue through Dispatch costs several switches of threads. So the queue, once awake,
/// waits for a millisecond more on the epoll descriptor itself: a client that asks again at once
/// meets a thread that is there. Blocks sent by `perform` cut that wait short.
///
/// `@unchecked Sendable`: nothing changes after `init` but atomics; a Dispatch source may be used
/// from any thread, though its protocol does not say so.
final class EventSource: @unchecked Sendable {
  let queue: DispatchQueue
  private let events: Int32
  private let wake: Int32
  /// Not a Dispatch timer: libdispatch opens its descriptor for the first one, and if none is left
  /// by then no timer ever fires; but accepting again when descriptors are back hangs on one.
  private let timer: Int32
  private let source: any DispatchSourceRead
  /// Blocks sent and not yet begun.
  private let pendingBlocks = Atomic(0)
  /// The queue is about to wait, or waits, on `events`.
  private let isWaiting = Atomic(false)

  private static let wakeToken = UInt64.max
  private static let timerToken = UInt64.max - 1
  private static let capacity = 64
  private static let waitMilliseconds: Int32 = 1
  /// Then blocks that were sent past `perform` get their turn.
  private static let maxRounds = 64

  /// Nil if the process has no descriptor left; `errno` says more.
  init?(label: String) {
    events = platform_events_open()
    wake = platform_wake_open()
    timer = platform_timer_open()
    guard events >= 0, wake >= 0, timer >= 0,
      platform_events_add(events, wake, Self.wakeToken) == 0,
      platform_events_add(events, timer, Self.timerToken) == 0
    else {
      let error = errno
      for descriptor in [events, wake, timer] where descriptor >= 0 { _ = close(descriptor) }
      errno = error
      return nil
    }
    queue = DispatchQueue(label: label)
    source = DispatchSource.makeReadSource(fileDescriptor: events, queue: queue)
    // The only place where they are closed, after the source has let go of the first.
    source.setCancelHandler { [events, wake, timer] in
      for descriptor in [events, wake, timer] { _ = close(descriptor) }
    }
  }

  /// Must follow `init`, once: a source that was never activated must not be let go.
  /// - Parameters:
  ///   - onReady: called on `queue` with the token and what is ready. A token may come once more
  ///     after its descriptor was closed.
  ///   - onTimer: called on `queue` at the time set, or shortly after it was replaced.
  func start(
    onReady: @escaping @Sendable (UInt64, Readiness) -> Void,
    onTimer: @escaping @Sendable () -> Void
  ) {
    source.setEventHandler { [weak self] in self?.tell(onReady, onTimer) }
    source.activate()
  }

  deinit {
    source.cancel()
  }

  /// Watches a descriptor until it is closed; the first event tells how it stands.
  func add(_ descriptor: Int32, token: UInt64) -> Bool {
    platform_events_add(events, descriptor, token) == 0
  }

  /// Sets the one timer there is.
  /// - Parameter delay: above zero.
  func setTimer(after delay: Duration) {
    let (seconds, attoseconds) = delay.components
    platform_timer_set(timer, max(1, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
  }

  /// Runs `body` on the queue, from any thread.
  func perform(_ body: @escaping @Sendable () -> Void) {
    // Either this sees that the queue waits, or the queue sees that a block is pending: both write
    // before they read, in the one order of sequential consistency.
    pendingBlocks.wrappingAdd(1, ordering: .sequentiallyConsistent)
    queue.async { [self] in
      pendingBlocks.wrappingSubtract(1, ordering: .relaxed)
      body()
    }
    if isWaiting.exchange(false, ordering: .sequentiallyConsistent) { platform_wake(wake) }
  }

  private func tell(_ onReady: (UInt64, Readiness) -> Void, _ onTimer: () -> Void) {
    var ready = [platform_event](repeating: platform_event(), count: Self.capacity)
    var milliseconds: Int32 = 0
    for _ in 0..<Self.maxRounds {
      // The pointer is used during the call only.
      let count = unsafe platform_events_take(
        events, &ready, Int32(Self.capacity), milliseconds)
      isWaiting.store(false, ordering: .relaxed)
      if count <= 0 { return }
      for index in 0..<Int(count) {
        switch ready[index].token {
        case Self.wakeToken: break
        case Self.timerToken: onTimer()
        case let token: onReady(token, Readiness(bits: ready[index].readiness))
        }
      }
      isWaiting.store(true, ordering: .sequentiallyConsistent)
      if pendingBlocks.load(ordering: .sequentiallyConsistent) > 0 {
        isWaiting.store(false, ordering: .relaxed)
        return
      }
      milliseconds = Self.waitMilliseconds
    }
    isWaiting.store(false, ordering: .relaxed)
  }
}
