import Dispatch
import Glibc
import Synchronization

/// What every connection of a server needs to know.
struct ServerContext: Sendable {
  let limits: ServerLimits
  let handler: any RequestHandler
  let log: @Sendable (ServerEvent) -> Void
  let occupancy: Occupancy
  let memory: MemoryBudget
  /// What new connections speak; nil: plain HTTP.
  let tls: TLSSlot?
}

/// One of the few serial queues that connections live on, and what they share there.
///
/// `@unchecked Sendable`: all that changes does so on the queue of `events`; `perform` is the door.
final class IOQueue: @unchecked Sendable {
  let context: ServerContext
  let counters = ServerCounters()
  /// What a read reads into before the connection takes what it needs.
  var readBuffer = [UInt8](repeating: 0, count: 65536)

  private let events: EventSource
  private var connections: [UInt64: Connection] = [:]
  /// Those over the limit, the oldest first.
  private var restricted: [UInt64] = []
  /// Connections whose place another one may take.
  private let waitingCount = Atomic(0)
  /// Connections whose turn is over though they have more to do.
  private var deferred: [Connection] = []
  private var hasScheduledTurn = false
  private var lastID: UInt64 = 0
  private var date = HTTPDate()
  private var nextTick: ContinuousClock.Instant?
  private var isDraining = false
  private var isStopping = false
  private let isCurrent = DispatchSpecificKey<Bool>()

  /// How long deferred turns are given before events are told again.
  private static let deferredTime = Duration.milliseconds(10)

  /// Deadlines are looked at no more often than this.
  private static let tick = Duration.milliseconds(100)

  init(label: String, context: ServerContext) throws(HTTPServerError) {
    self.context = context
    guard let events = EventSource(label: label) else { throw .outOfResources(errno: errno) }
    self.events = events
    events.queue.setSpecific(key: isCurrent, value: true)
    events.start(
      onReady: { [weak self] in self?.connections[$0]?.becameReady($1) },
      onTimer: { [weak self] in self?.tick() })
  }

  // MARK: From any thread

  /// Runs `body` on the queue: at once if this is it, so that an answer given while the request is
  /// being handled costs no hop.
  func perform(_ body: @escaping @Sendable () -> Void) {
    if DispatchQueue.getSpecific(key: isCurrent) == true {
      body()
    } else {
      events.perform(body)
    }
  }

  func adopt(_ socket: Socket, remoteAddress: String, admission: Occupancy.Admission) {
    events.perform { [self] in
      lastID += 1
      counters.accepted.add()
      var admission = admission
      if !admission.isServed { makeRoom(for: &admission) }
      guard let transport = Transport(socket, context.tls?.current),
        events.add(socket.descriptor, token: lastID)
      else {
        socket.close(abruptly: true)
        context.occupancy.leave(admission)
        return
      }
      let connection = Connection(
        id: lastID, io: self, transport: transport, remoteAddress: remoteAddress,
        admission: admission, openedAt: .now)
      connections[lastID] = connection
      if admission.isServed {
        counters.open.add()
      } else {
        counters.rejected.add()
        restricted.append(lastID)
      }
      if isDraining { connection.drain(stopping: isStopping) } else { connection.run() }
    }
  }

  /// Whether a connection could give its place to a new one.
  var hasWaitingConnections: Bool { waitingCount.load(ordering: .relaxed) > 0 }

  func drain(stopping: Bool) {
    events.perform { [self] in
      isDraining = true
      isStopping = isStopping || stopping
      for connection in connections.values { connection.drain(stopping: isStopping) }
    }
  }

  // MARK: On the queue

  /// Gives the connection its next turn, in the order in which they asked and a few milliseconds of them
  /// at a time: a new connection waits for no more than that.
  func later(_ connection: Connection) {
    deferred.append(connection)
    scheduleTurn()
  }

  private func scheduleTurn() {
    if hasScheduledTurn || deferred.isEmpty { return }
    hasScheduledTurn = true
    events.perform { [self] in
      let began = ContinuousClock.now
      while !deferred.isEmpty, .now - began < Self.deferredTime {
        deferred.removeFirst().runDeferred()
      }
      hasScheduledTurn = false
      scheduleTurn()
    }
  }

  /// `Date: …` and a CRLF.
  var dateLine: [UInt8] {
    date.set(time(nil))
    return date.line
  }

  /// Ends the process where what belongs to the queue is touched elsewhere.
  func assertIsCurrent() { dispatchPrecondition(condition: .onQueue(events.queue)) }

  func countWaiting(_ change: Int) { waitingCount.add(change) }

  /// Closes the connection that has waited longest for its client, for one over the limit; or, since
  /// those are few, the oldest of them.
  private func makeRoom(for admission: inout Occupancy.Admission) {
    assertIsCurrent()
    if case .restricted(.tooManyConnections, _) = admission, hasWaitingConnections {
      var longest: (connection: Connection, since: ContinuousClock.Instant)?
      for connection in connections.values where connection.admission.isServed {
        guard let since = connection.waitingForClientSince else { continue }
        if longest.map({ since < $0.since }) ?? true { longest = (connection, since) }
      }
      if let connection = longest?.connection {
        context.occupancy.hand(&connection.admission, to: &admission)
        counters.open.add(-1)
        counters.evicted.add()
        connection.evict()
        return
      }
    }
    if restricted.count >= ServerLimits.maxRestricted, let oldest = connections[restricted[0]] {
      oldest.evict()
    }
  }

  func remove(_ connection: Connection) {
    assertIsCurrent()
    connections[connection.id] = nil
    if connection.admission.isServed {
      counters.open.add(-1)
    } else if let index = restricted.firstIndex(of: connection.id) {
      restricted.remove(at: index)
    }
    context.occupancy.leave(connection.admission)
  }

  /// Makes sure that deadlines are looked at then.
  func schedule(_ deadline: ContinuousClock.Instant) {
    if let nextTick, nextTick <= deadline { return }
    let delay = max(Self.tick, deadline - .now)
    nextTick = .now + delay
    events.setTimer(after: delay)
  }

  private func tick() {
    let now = ContinuousClock.now
    nextTick = nil
    for connection in connections.values {
      guard let deadline = connection.deadline else { continue }
      if deadline <= now { connection.expire(at: now) } else { schedule(deadline) }
    }
  }
}
