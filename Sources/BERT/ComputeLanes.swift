#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The threads that compute: made once, parked when idle, shared by all encoders of a process.
///
/// Lane i is thread i. Who starts work on lanes sees to it that they are idle.
public final class ComputeLanes: Sendable {
  public let count: Int
  private let lanes: [Lane]

  /// - Precondition: `count` is at least 1.
  public init(count: Int) {
    precondition(count > 0, "there is at least one compute thread")
    self.count = count
    lanes = (0..<count).map { _ in Lane() }
  }

  deinit {
    for lane in lanes { lane.post(nil) }
  }

  /// Calls `body` once on the thread of each of the lanes, with its rank: 0 for the first, the
  /// lead. Returns at once.
  func start(on lanes: [Int], _ body: @escaping @Sendable (_ rank: Int) -> Void) {
    // The lead last: it has the least to do before the first barrier if the others are awake.
    for rank in lanes.indices.reversed() {
      self.lanes[lanes[rank]].post { body(rank) }
    }
  }

  /// Calls `body` on every lane, and waits for all. Not to be called on a lane.
  func runOnAll(_ body: @escaping @Sendable (_ rank: Int) -> Void) {
    let barrier = LaneBarrier(count: count + 1)
    start(on: Array(0..<count)) { rank in
      body(rank)
      barrier.wait()
    }
    barrier.wait()
  }
}

/// One thread and its mailbox.
///
/// `@unchecked Sendable`: `letter` is touched only inside `monitor`.
private final class Lane: @unchecked Sendable {
  private enum Letter {
    case work(@Sendable () -> Void)
    case stop
  }

  private let monitor = Monitor()
  private var letters: [Letter] = []

  init() {
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(self).toOpaque()
    let status = unsafe pthread_create(&thread, nil, { unsafe laneMain($0) }, context)
    precondition(status == 0, "the system has no thread left")
    pthread_detach(thread)
  }

  /// Hands work over; nil ends the thread.
  func post(_ work: (@Sendable () -> Void)?) {
    monitor.change { letters.append(work.map(Letter.work) ?? .stop) }
  }

  /// The thread's life: work, or park until there is some.
  func run() {
    while case .work(let body) = monitor.wait(for: next) { body() }
  }

  private func next() -> Letter? {
    letters.isEmpty ? nil : letters.removeFirst()
  }
}

private func laneMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // Balances `passRetained`: the thread owns its lane.
  unsafe Unmanaged<Lane>.fromOpaque(context!).takeRetainedValue().run()
  return nil
}
