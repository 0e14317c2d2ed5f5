import Foundation
import HTTP

/// A server on a free port with the tiny handler, stopped at the end of the test.
final class TestServer: Sendable {
  let handler = TinyHandler()
  let server: Server
  let port: Int
  let events: EventLog

  init(ioQueueCount: Int = 2, _ change: (inout ServerLimits) -> Void = { _ in }) throws {
    var limits = ServerLimits()
    change(&limits)
    let events = EventLog()
    self.events = events
    server = Server(
      host: "127.0.0.1", port: 0, limits: limits, ioQueueCount: ioQueueCount, handler: handler
    ) { events.append($0) }
    port = try server.start().port
  }

  deinit {
    server.stop {}
  }

  func connect() -> RawClient { RawClient(self) }

  /// `@unchecked Sendable`: `events` is guarded by `lock`. Not a `Mutex`: many write at a time, and
  /// the thread sanitizer does not see that one's waiting path.
  final class EventLog: @unchecked Sendable {
    private let lock = NSLock()
    private var events: [ServerEvent] = []
    var all: [ServerEvent] { lock.withLock { events } }
    func append(_ event: ServerEvent) { lock.withLock { events.append(event) } }
  }
}

/// Runs blocking code on a thread of its own: neither the tests' pool nor Dispatch's, which the
/// servers need, may run out of threads.
func blocking<Result: Sendable>(
  _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread {
      continuation.resume(with: Swift.Result { try body() })
    }
  }
}

/// Waits, at most ten seconds, until something comes true.
func eventually(_ condition: () -> Bool) -> Bool {
  for _ in 0..<1000 {
    if condition() { return true }
    usleep(10_000)
  }
  return condition()
}
