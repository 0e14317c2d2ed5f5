import Foundation
import HTTP
import Service

/// From the first SIGTERM to the exit.
///
/// Whoever routes requests here learns of the stop a little later than we do: so new connections
/// are served until a second has passed without any work, or half of the time is over. Then nothing
/// new is accepted, and what is in flight or half sent is finished.
struct Shutdown {
  let service: Service
  let server: Server
  /// The most time that all of it may take.
  let limit: Duration

  private static let quietTime = Duration.seconds(1)

  /// Whether every accepted request was answered in time.
  func run() -> Bool {
    let start = ContinuousClock.now
    service.beginDraining()
    server.beginDrain()
    waitForQuiet(until: start + limit / 2)

    let isStopped = DispatchSemaphore(value: 0)
    server.stop { isStopped.signal() }
    let rest = max(.zero, start + limit - .now)
    return isStopped.wait(timeout: .now() + rest.seconds) == .success
  }

  private func waitForQuiet(until end: ContinuousClock.Instant) {
    var lastWork = ContinuousClock.now
    var requests = server.statistics.requests
    while ContinuousClock.now < end, ContinuousClock.now - lastWork < Self.quietTime {
      Thread.sleep(forTimeInterval: 0.02)
      let now = server.statistics
      if now.requests != requests || now.requestsInFlight > 0 || now.openConnections > 0 {
        requests = now.requests
        lastWork = .now
      }
    }
  }
}
