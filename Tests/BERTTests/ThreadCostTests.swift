import FoundationEssentials
import Testing

@testable import BERT

/// What it costs that threads work together: prints what LargeMachineTests computes with, and expects nothing.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["BERT_SERVER_MEASURE"] != nil))
struct ThreadCostTests {
  @Test func costsOfMeetings() throws {
    let threads = try ComputeThreads(count: 2)
    let barrier = ThreadBarrier(count: 2)
    let (calls, meetings) = (50, 20_000)
    let times = (0..<calls).map { _ in
      let start = ContinuousClock.now
      threads.runOnAll { _ in for _ in 0..<meetings { barrier.wait() } }
      return (ContinuousClock.now - start) / meetings
    }.sorted()
    print("a meeting of two threads: \(times[calls / 2]), at best \(times[0])")
  }

  @Test func costsOfWakeUps() throws {
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
