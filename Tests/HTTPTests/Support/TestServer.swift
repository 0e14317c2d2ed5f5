import Foundation
import HTTP

/// What a test's server and its clients speak.
enum Door: CaseIterable {
  case plain
  case tls
}

/// A server on a free port with the tiny handler, stopped at the end of the test.
final class TestServer: Sendable {
  let door: Door
  let handler = TinyHandler()
  let server: Server
  let port: Int
  let events: EventLog

  init(
    _ door: Door = .plain, ioQueueCount: Int = 2, clientAuthorities: String? = nil,
    _ change: (inout ServerLimits) -> Void = { _ in }
  ) throws {
    self.door = door
    var limits = ServerLimits.test
    change(&limits)
    let events = EventLog()
    self.events = events
    server = Server(
      host: "127.0.0.1", port: 0, limits: limits, ioQueueCount: ioQueueCount,
      tls: door == .plain ? nil : try Certificate.server.context(clientAuthorities),
      handler: handler
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

/// One of the pairs in `Fixtures`.
enum Certificate: String {
  case server, other, client

  var certificate: String { Self.path(rawValue + ".pem") }
  var key: String { Self.path(rawValue + ".key") }

  static let authority = path("authority.pem")

  static func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures").appending(path: name).path
  }

  func context(_ clientAuthorities: String? = nil) throws(TLSError) -> TLSContext {
    try TLSContext(certificate: certificate, key: key, clientAuthorities: clientAuthorities)
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
