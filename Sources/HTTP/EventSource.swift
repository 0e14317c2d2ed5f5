import CPlatform
import Dispatch
import Glibc

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
/// edge-triggered, and leaves when it is closed. Sixty-four connections that are ready cost one
/// wake-up of the queue instead of sixty-four.
///
/// `@unchecked Sendable`: nothing here changes after `init`.
final class EventSource: @unchecked Sendable {
  let queue: DispatchQueue
  private let events: Int32
  private let source: any DispatchSourceRead

  /// Nil if the process has no descriptor left; `errno` says more.
  init?(label: String) {
    events = platform_events_open()
    guard events >= 0 else { return nil }
    queue = DispatchQueue(label: label)
    source = DispatchSource.makeReadSource(fileDescriptor: events, queue: queue)
    // The only place where the descriptor is closed, after the source has let go of it.
    source.setCancelHandler { [events] in _ = close(events) }
  }

  /// Must follow `init`, once: a source that was never activated must not be let go.
  /// - Parameter onReady: called on `queue` with the token and what is ready. A token may come once
  ///   more after its descriptor was closed.
  func start(_ onReady: @escaping @Sendable (UInt64, Readiness) -> Void) {
    source.setEventHandler { [weak self] in self?.take(onReady) }
    source.activate()
  }

  deinit {
    source.cancel()
  }

  /// Watches a descriptor until it is closed; the first event tells how it stands.
  func add(_ descriptor: Int32, token: UInt64) -> Bool {
    platform_events_add(events, descriptor, token) == 0
  }

  private func take(_ onReady: (UInt64, Readiness) -> Void) {
    let capacity = 64
    var ready = [platform_event](repeating: platform_event(), count: capacity)
    // The pointer is used during the call only.
    let count = unsafe platform_events_take(events, &ready, Int32(capacity))
    // What is left over makes the descriptor readable again at once; others get their turn first.
    for index in 0..<max(0, Int(count)) {
      onReady(ready[index].token, Readiness(bits: ready[index].readiness))
    }
  }
}
