import Dispatch
import Synchronization

/// Where requests are decompressed, parsed and tokenized: serial queues, each with a thread of its
/// own, so that a request that takes long here takes no thread from answers and health checks. Small
/// requests have a queue that large ones never enter.
final class ParsingQueues: Sendable {
  private static let smallBytes = 65_536
  private static let largeQueueCount = 2

  private final class Queue: Sendable {
    let queue: DispatchQueue
    /// Bytes of requests that wait or are being worked on.
    let bytes = Atomic(0)
    /// When the work under way began, nanoseconds of the system's uptime; 0 without any.
    let began = Atomic<UInt64>(0)

    init(_ name: String) { queue = DispatchQueue(label: "bert-server.parse.\(name)") }
  }

  private let small = Queue("small")
  private let large = (0..<largeQueueCount).map { Queue("large.\($0)") }

  /// - Parameters:
  ///   - bytes: of the request.
  ///   - isSmall: whether it takes no longer than its bytes say: a compressed body may.
  func perform(bytes: Int, isSmall: Bool, _ work: @escaping @Sendable () -> Void) {
    let queue =
      isSmall && bytes <= Self.smallBytes
      ? small
      : large.min {
        $0.bytes.load(ordering: .relaxed) < $1.bytes.load(ordering: .relaxed)
      } ?? small
    queue.bytes.wrappingAdd(bytes, ordering: .relaxed)
    queue.queue.async {
      queue.began.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed)
      work()
      queue.began.store(0, ordering: .relaxed)
      queue.bytes.wrappingSubtract(bytes, ordering: .relaxed)
    }
  }

  /// How long the requests have been worked on that keep every queue for their kind busy; zero while
  /// one is free.
  var stalledFor: Duration {
    let now = DispatchTime.now().uptimeNanoseconds
    func age(_ queue: Queue) -> UInt64 {
      let began = queue.began.load(ordering: .relaxed)
      return began == 0 || began > now ? 0 : now - began
    }
    let longest = max(age(small), large.map(age).min() ?? 0)
    return .nanoseconds(Int64(clamping: longest))
  }
}
