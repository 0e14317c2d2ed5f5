import CKernels
import Synchronization

/// Where the threads of a pass wait for each other: nobody leaves before all have arrived, and what
/// they wrote before is seen by all after.
///
/// A thread spins for some microseconds, the usual wait between two steps, then blocks: a peer that
/// lost its core must not cost another one.
final class ThreadBarrier: Sendable {
  private static let spins = 3000

  private let count: Int
  private let arrived = Atomic(0)
  private let generation = Atomic(0)
  private let sleepers = Atomic(0)
  private let monitor = Monitor()

  init(count: Int) { self.count = count }

  func wait() {
    if count == 1 { return }
    let current = generation.load(ordering: .relaxed)
    if arrived.add(1, ordering: .acquiringAndReleasing).newValue == count {
      arrived.store(0, ordering: .relaxed)
      // Sequentially consistent, like a sleeper's two steps below: either it sees the new
      // generation, or this thread sees the sleeper.
      generation.store(current + 1, ordering: .sequentiallyConsistent)
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 { monitor.change {} }
      return
    }
    for _ in 0..<Self.spins {
      if generation.load(ordering: .acquiring) != current { return }
      spinHint()
    }
    sleepers.add(1, ordering: .sequentiallyConsistent)
    monitor.wait {
      generation.load(ordering: .sequentiallyConsistent) != current ? () : nil
    }
    sleepers.subtract(1, ordering: .relaxed)
  }
}
