import Dispatch
import Synchronization

/// An HTTP/1.1 server on sockets and a few serial queues.
///
/// A connection belongs to one I/O queue for life; the handler is called there. A server that is
/// let go without `stop` takes no more connections.
public final class Server: Sendable {
  private struct Running {
    let acceptor: Acceptor
    let ioQueues: [IOQueue]
  }

  private enum State {
    case new
    case running(Running)
    /// Kept for their counters.
    case stopped([IOQueue])
  }

  private let host: String
  private let port: Int
  private let limits: ServerLimits
  private let ioQueueCount: Int
  private let handler: any RequestHandler
  private let log: @Sendable (ServerEvent) -> Void
  private let occupancy: Occupancy
  private let memory: MemoryBudget
  private let tls: TLSSlot?
  private let state = Mutex(State.new)

  /// - Parameters:
  ///   - host: an address, or a name (the first of its addresses that can be had is taken).
  ///   - port: 0 picks a free one.
  ///   - memory: what requests and answers are held against.
  ///   - tls: what connections speak; nil: plain HTTP.
  ///   - log: called on I/O queues.
  public init(
    host: String, port: Int, limits: ServerLimits, ioQueueCount: Int = 2,
    memory: MemoryBudget = MemoryBudget(), tls: TLSContext? = nil, handler: any RequestHandler,
    log: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.host = host
    self.port = port
    self.limits = limits
    self.ioQueueCount = max(1, ioQueueCount)
    self.memory = memory
    self.handler = handler
    self.log = log
    self.tls = tls.map { TLSSlot($0) }
    occupancy = Occupancy(limits)
  }

  /// Listens, and returns the numeric address and the port.
  public func start() throws(HTTPServerError) -> (host: String, port: Int) {
    try state.withLock { state throws(HTTPServerError) in
      guard case .new = state else { throw .alreadyStarted }
      let context = ServerContext(
        limits: limits, handler: handler, log: log, occupancy: occupancy, memory: memory,
        tls: tls)
      var ioQueues: [IOQueue] = []
      for index in 0..<ioQueueCount {
        ioQueues.append(try IOQueue(label: "http.io.\(index)", context: context))
      }
      let listener = try SocketAddress.listen(host: host, port: port, backlog: 4096)
      let address = SocketAddress.local(of: listener)
      let acceptor = try Acceptor(
        listener: listener, occupancy: occupancy, ioQueues: ioQueues, log: log)
      state = .running(Running(acceptor: acceptor, ioQueues: ioQueues))
      return address
    }
  }

  /// New connections get this certificate; those there are keep theirs. Nothing for a server that
  /// was made without TLS.
  public func renew(_ context: TLSContext) {
    tls?.renew(context)
  }

  /// From now on every answer says `Connection: close`, and connections between two requests are
  /// closed; new connections are still served.
  public func beginDrain() {
    for queue in running?.ioQueues ?? [] { queue.drain(stopping: false) }
  }

  /// Stops listening, and calls `completion` once every request that was in flight is answered, and
  /// every one that was half sent is answered or past its deadline. On some thread; at once if the
  /// server does not run.
  public func stop(completion: @escaping @Sendable () -> Void) {
    let stopped: Running? = state.withLock { state in
      guard case .running(let running) = state else { return nil }
      state = .stopped(running.ioQueues)
      return running
    }
    guard let stopped else { return completion() }
    stopped.acceptor.stop { [occupancy] in
      // Behind what the acceptor has handed over.
      for queue in stopped.ioQueues { queue.drain(stopping: true) }
      occupancy.group.notify(queue: .global(), execute: completion)
    }
  }

  public var statistics: ServerStatistics {
    var total = ServerStatistics()
    let queues: [IOQueue] = state.withLock { state in
      switch state {
      case .new: []
      case .running(let running): running.ioQueues
      case .stopped(let ioQueues): ioQueues
      }
    }
    for queue in queues { queue.counters.add(to: &total) }
    return total
  }

  private var running: Running? {
    state.withLock { state in
      if case .running(let running) = state { return running }
      return nil
    }
  }
}
