import Synchronization

/// Counts since the start, except where said.
public struct ServerStatistics: Equatable, Sendable {
  public var acceptedConnections = 0
  /// Over the limit: served health checks only.
  public var rejectedConnections = 0
  /// Idle ones whose place was given to a new one.
  public var evictedConnections = 0
  /// At this moment, rejected ones not counted.
  public var openConnections = 0
  /// Whole requests given to the handler.
  public var requests = 0
  /// At this moment: given to the handler and not answered.
  public var requestsInFlight = 0
  /// Malformed, too large, or too late.
  public var failures = 0
  /// Connections that ended before client and server had agreed on TLS.
  public var failedHandshakes = 0
  /// The client was gone before its answer.
  public var cancelled = 0
  public var bytesReceived = 0
  public var bytesSent = 0

  public init() {}
}

/// The same, counted by one I/O queue each, so that queues do not share a cache line.
final class ServerCounters: Sendable {
  let accepted = Atomic(0)
  let rejected = Atomic(0)
  let evicted = Atomic(0)
  let open = Atomic(0)
  let requests = Atomic(0)
  let inFlight = Atomic(0)
  let failures = Atomic(0)
  let failedHandshakes = Atomic(0)
  let cancelled = Atomic(0)
  let received = Atomic(0)
  let sent = Atomic(0)

  func add(to total: inout ServerStatistics) {
    total.acceptedConnections += accepted.load(ordering: .relaxed)
    total.rejectedConnections += rejected.load(ordering: .relaxed)
    total.evictedConnections += evicted.load(ordering: .relaxed)
    total.openConnections += open.load(ordering: .relaxed)
    total.requests += requests.load(ordering: .relaxed)
    total.requestsInFlight += inFlight.load(ordering: .relaxed)
    total.failures += failures.load(ordering: .relaxed)
    total.failedHandshakes += failedHandshakes.load(ordering: .relaxed)
    total.cancelled += cancelled.load(ordering: .relaxed)
    total.bytesReceived += received.load(ordering: .relaxed)
    total.bytesSent += sent.load(ordering: .relaxed)
  }
}

extension Atomic where Value == Int {
  func add(_ count: Int = 1) {
    wrappingAdd(count, ordering: .relaxed)
  }
}
