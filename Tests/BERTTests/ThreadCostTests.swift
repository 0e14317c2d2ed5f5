import FoundationEssentials
import Testing

@testable import BERT

/// Prints what a barrier and a wake-up cost, for `LargeMachineTests`; expects nothing.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["BERT_SERVER_MEASURE"] != nil))
struct ThreadCostTests {
  @Test func costOfABarrier() throws {
    let threads = try ComputeThreads(count: 2)
    let barrier = ThreadBarrier(count: 2)
    let (calls, waits) = (50, 20_000)
    let times = (0..<calls).map { _ in
      let start = ContinuousClock.now
      threads.runOnAll { _ in for _ in 0..<waits { barrier.wait() } }
      return (ContinuousClock.now - start) / waits
    }.sorted()
    print("a barrier of two threads: \(times[calls / 2]), at best \(times[0])")
  }

  @Test func costOfAWakeUp() throws {
    let threads = try ComputeThreads(count: 1)
    let calls = 2000
    let times = (0..<calls).map { _ in
      let start = ContinuousClock.now
      threads.runOnAll { _ in }
      return ContinuousClock.now - start
    }.sorted()
    // There and back: to the thread, and to whoever waits for it.
    print("a wake-up: \(times[calls / 2] / 2), at best \(times[0] / 2)")
  }
}
