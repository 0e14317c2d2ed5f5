import Dispatch
import Synchronization

/// Where requests are decompressed, parsed and tokenized: serial queues, each with a thread of its
/// own, so that a request that takes long here takes no thread from answers and health checks. Small
/// requests have a thread that large ones never take; on each the smallest request that waits is next.
final class ParsingQueues: Sendable {
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
  var stalledFor: Duration { max(small.stalledFor, large.stalledFor) }
}

/// Work for a few threads, the smallest first.
private final class WorkQueue: Sendable {
  fileprivate struct Item {
    let bytes: Int
    /// Of two that are as large, the one that came first.
    let number: Int
    let work: @Sendable () -> Void
  }

  fileprivate struct Waiting {
    var items: [Item] = []
    var count = 0
  }

  private final class Thread: Sendable {
    let queue: DispatchQueue
    /// When the work under way began, nanoseconds of the system's uptime; 0 without any.
    let began = Atomic<UInt64>(0)

    init(_ name: String) { queue = DispatchQueue(label: "bert-server.parse.\(name)") }
  }

  private let waiting = Mutex(Waiting())
  private let threads: [Thread]

  init(_ name: String, threads count: Int) {
    threads = (0..<count).map { Thread("\(name).\($0)") }
  }

  func perform(bytes: Int, _ work: @escaping @Sendable () -> Void) {
    waiting.withLock { waiting in
      waiting.count += 1
      waiting.insert(Item(bytes: bytes, number: waiting.count, work: work))
    }
    // Each block takes one item, whichever it then is. Both threads are told: who is free is not known.
    for thread in threads { thread.queue.async { [self] in runNext(on: thread) } }
  }

  private func runNext(on thread: Thread) {
    guard let item = waiting.withLock({ $0.takeSmallest() }) else { return }
    thread.began.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed)
    item.work()
    thread.began.store(0, ordering: .relaxed)
  }

  var stalledFor: Duration {
    let now = DispatchTime.now().uptimeNanoseconds
    let ages = threads.map { thread in
      let began = thread.began.load(ordering: .relaxed)
      return began == 0 || began > now ? 0 : now - began
    }
    return .nanoseconds(Int64(clamping: ages.min() ?? 0))
  }
}

// A heap: the parent of the item at i stands at (i - 1) / 2 and is not larger.
extension WorkQueue.Waiting {
  fileprivate mutating func insert(_ item: WorkQueue.Item) {
    items.append(item)
    var child = items.count - 1
    while child > 0, items[child] < items[(child - 1) / 2] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  fileprivate mutating func takeSmallest() -> WorkQueue.Item? {
    guard let last = items.popLast() else { return nil }
    guard let smallest = items.first else { return last }
    items[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < items.count && items[child] < items[least] {
        least = child
      }
      if least == parent { return smallest }
      items.swapAt(least, parent)
      parent = least
    }
  }
}

extension WorkQueue.Item: Comparable {
  fileprivate static func < (one: Self, other: Self) -> Bool {
    (one.bytes, one.number) < (other.bytes, other.number)
  }

  fileprivate static func == (one: Self, other: Self) -> Bool { one.number == other.number }
}
