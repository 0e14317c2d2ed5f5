import Dispatch
import Synchronization

/// Where requests are decompressed, parsed and tokenized: serial queues, each with a thread of its
/// own, so that a request that takes long here takes no thread from answers and health checks. Small
/// requests have a thread that large ones never take; on each the smallest request that waits is next.
package final class ParsingQueues: Sendable {
  /// Bytes of a body that is small.
  static let smallBytes = 65_536
  private static let largeThreadCount = 2

  private let small = WorkQueue("small", threads: 1)
  private let large = WorkQueue("large", threads: largeThreadCount)

  /// - Parameter bytes: of the work, which it takes longer for the more there are.
  func perform(bytes: Int, _ work: @escaping @Sendable () -> Void) {
    (bytes <= Self.smallBytes ? small : large).perform(bytes: bytes, work)
  }

  /// How long the requests have been worked on that keep every thread for their kind busy; zero while
  /// one is free.
  package var stalledFor: Duration { max(small.stalledFor, large.stalledFor) }
}

/// Work for a few threads: the smallest first, and in every other turn what has waited long.
private final class WorkQueue: Sendable {
  private struct Item {
    let bytes: Int
    let arrival = ContinuousClock.now
    let work: @Sendable () -> Void
  }

  private struct Waiting {
    /// In the order of their arrival; no more than there are connections.
    var items: [Item] = []
    var turn = 0
  }

  private final class Thread: Sendable {
    let queue: DispatchQueue
    /// When the work under way began, nanoseconds of the system's uptime; 0 without any.
    let began = Atomic<UInt64>(0)

    init(_ name: String) { queue = DispatchQueue(label: "bert-server.parse.\(name)") }
  }

  private static let patience = Duration.seconds(1)

  private let waiting = Mutex(Waiting())
  private let threads: [Thread]

  init(_ name: String, threads count: Int) {
    threads = (0..<count).map { Thread("\(name).\($0)") }
  }

  func perform(bytes: Int, _ work: @escaping @Sendable () -> Void) {
    waiting.withLock { $0.items.append(Item(bytes: bytes, work: work)) }
    // Each block takes one item, whichever is next then. Who is free is not known: all are told.
    for thread in threads { thread.queue.async { [self] in runNext(on: thread) } }
  }

  private func runNext(on thread: Thread) {
    guard let item = waiting.withLock({ Self.takeNext(from: &$0) }) else { return }
    thread.began.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed)
    item.work()
    thread.began.store(0, ordering: .relaxed)
  }

  private static func takeNext(from waiting: inout Waiting) -> Item? {
    guard let oldest = waiting.items.first else { return nil }
    waiting.turn += 1
    if waiting.turn % 2 == 0, ContinuousClock.now - oldest.arrival > patience {
      return waiting.items.removeFirst()
    }
    let smallest = waiting.items.indices.min { waiting.items[$0].bytes < waiting.items[$1].bytes }
    return smallest.map { waiting.items.remove(at: $0) }
  }

  package var stalledFor: Duration {
    let now = DispatchTime.now().uptimeNanoseconds
    let ages = threads.map { thread in
      let began = thread.began.load(ordering: .relaxed)
      return began == 0 || began > now ? 0 : now - began
    }
    return .nanoseconds(Int64(clamping: ages.min() ?? 0))
  }
}
