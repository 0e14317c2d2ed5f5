#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The threads that compute: made once, parked when idle, shared by all encoders of a process.
///
/// Who starts work on threads sees to it that they are idle.
public final class ComputeThreads: Sendable {
  public let count: Int
  /// The NUMA node of each thread, from 0 in rising order: encoders have weights for each node.
  let nodes: [Int]
  private let threads: [ComputeThread]

  /// - Parameters:
  ///   - count: of threads.
  ///   - nodes: of each thread, from 0 in rising order; nil if memory is the same to all.
  ///   - onStart: called on each thread first, with its index.
  /// - Precondition: `count` is at least 1.
  /// - Throws: `threads` if the system has not so many.
  public init(
    count: Int, nodes: [Int]? = nil, onStart: (@Sendable (_ thread: Int) -> Void)? = nil
  ) throws(BERTError) {
    precondition(count > 0, "there is at least one compute thread")
    self.count = count
    self.nodes = nodes ?? Array(repeating: 0, count: count)
    precondition(
      self.nodes.count == count && self.nodes[0] == 0
        && zip(self.nodes, self.nodes.dropFirst()).allSatisfy { 0...1 ~= $1 - $0 },
      "each thread has a node, and each node a thread")
    var threads: [ComputeThread] = []
    while threads.count < count, let thread = ComputeThread() { threads.append(thread) }
    guard threads.count == count else {
      for thread in threads { thread.post(nil) }
      throw .threads(asked: count, made: threads.count)
    }
    self.threads = threads
    if let onStart {
      for index in threads.indices { threads[index].post { onStart(index) } }
    }
  }

  /// Nodes that have threads.
  var nodeCount: Int { nodes.last! + 1 }

  deinit {
    for thread in threads { thread.post(nil) }
  }

  /// Calls `body` once on each of the threads, with its rank: 0 for the first, the
  /// lead. Returns at once.
  func start(on threads: [Int], _ body: @escaping @Sendable (_ rank: Int) -> Void) {
    // The lead last: it has the least to do before the first barrier if the others are awake.
    for rank in threads.indices.reversed() {
      self.threads[threads[rank]].post { body(rank) }
    }
  }

  /// The threads of a node.
  func threads(of node: Int) -> [Int] { nodes.indices.filter { nodes[$0] == node } }

  /// Calls `body` on every thread, and waits for all. Not to be called on one of them.
  func runOnAll(_ body: @escaping @Sendable (_ rank: Int) -> Void) {
    run(on: Array(0..<count), body)
  }

  /// Calls `body` on each of some threads, with its rank among them, and waits for all. Not to be called on
  /// a thread.
  func run(on threads: [Int], _ body: @escaping @Sendable (_ rank: Int) -> Void) {
    let barrier = ThreadBarrier(count: threads.count + 1)
    start(on: threads) { rank in
      body(rank)
      barrier.wait()
    }
    barrier.wait()
  }
}

/// One thread and its mailbox.
///
/// `@unchecked Sendable`: `mailbox` is touched only inside `monitor`.
private final class ComputeThread: @unchecked Sendable {
  private enum Message {
    case work(@Sendable () -> Void)
    case stop
  }

  private let monitor = Monitor()
  private var mailbox: [Message] = []

  /// Nil if the system has no thread left.
  init?() {
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(self).toOpaque()
    let status = unsafe pthread_create(&thread, nil, { unsafe threadMain($0) }, context)
    guard status == 0 else {
      unsafe Unmanaged<ComputeThread>.fromOpaque(context).release()
      return nil
    }
    pthread_detach(thread)
  }

  /// Hands work over; nil ends the thread.
  func post(_ work: (@Sendable () -> Void)?) {
    monitor.change { mailbox.append(work.map(Message.work) ?? .stop) }
  }

  /// The thread's life: work, or park until there is some.
  func run() {
    while case .work(let body) = monitor.wait(for: next) { body() }
  }

  private func next() -> Message? {
    mailbox.isEmpty ? nil : mailbox.removeFirst()
  }
}

private func threadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // Balances `passRetained`: the thread owns its `ComputeThread`.
  unsafe Unmanaged<ComputeThread>.fromOpaque(context!).takeRetainedValue().run()
  return nil
}
