import EncoderContract
import TestSupport
import Testing

@testable import Batching

@Suite struct BatchSchedulerPropertyTests {
  /// A failure names its seed.
  static let seeds: [UInt64] = Array(1...12) + [SeededGenerator.seed]

  @Test(arguments: seeds)
  func anyEventsLoseDuplicateOrReorderNothing(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let limits = BatchLimits.test(
      maxBatchTokens: .random(in: 20...300, using: &random),
      maxQueueTokens: .random(in: 20...3000, using: &random),
      maxWait: Bool.random(using: &random) ? .zero : .milliseconds(3),
      minBatchRows: .random(in: 1...64, using: &random))
    let encoders = Int.random(in: 1...3, using: &random)
    var simulation = Simulation(
      encoders: encoders, threads: .random(in: 1...5, using: &random), limits: limits)
    var refused = 0

    for _ in 0..<1500 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0...3:
        let counts = (0..<Int.random(in: 1...12, using: &random)).map { _ in
          Int.random(in: 1...20, using: &random)
        }
        let timeout: Duration? =
          Bool.random(using: &random) ? nil : .milliseconds(.random(in: 0...40, using: &random))
        do throws(BatchingError) {
          _ = try simulation.submit(
            counts, to: .random(in: 0..<encoders, using: &random), timeout: timeout)
        } catch {
          refused += 1
          let tokens = counts.reduce(0, +)
          let isRight =
            switch error {
            case .queueFull(let seconds):
              (1...60).contains(seconds) && tokens <= limits.maxQueueTokens
                && simulation.statistics.queuedTokens + tokens > limits.maxQueueTokens
            case .tooLarge: tokens > limits.maxQueueTokens
            default: false
            }
          #expect(isRight, "\(error)")
        }
      case 4:
        if let id = simulation.requests.keys.min(by: { $0.number < $1.number }).map({ oldest in
          let range = oldest.number...(oldest.number + UInt64(simulation.requests.count) - 1)
          return RequestID(number: .random(in: range, using: &random))
        }) {
          let request = simulation.requests[id]!
          if !request.isGone && request.finished < request.tokenCounts.count {
            simulation.cancel(id)
          }
        }
      case 5:
        simulation.advance(.milliseconds(.random(in: 0...5, using: &random)))
      case 6 where !simulation.running.isEmpty && Int.random(in: 0..<10, using: &random) == 0:
        simulation.finish(error: .encoder(.unsupported("broken on purpose")))
      default:
        if !simulation.running.isEmpty {
          simulation.finish(.random(in: simulation.running.indices, using: &random))
        }
      }
    }

    simulation.drain()
    simulation.finishAll()
    #expect(simulation.scheduler.isDrained)
    #expect(simulation.violations == [])
    for (id, request) in simulation.requests {
      // Each was encoded to the end, or was told, or did not want to know.
      #expect(request.isGone || request.finished == request.tokenCounts.count, "\(id)")
    }
    let statistics = simulation.statistics
    #expect(statistics.requestsAccepted + refused > 400)
    #expect(simulation.started.count > 100)
    #expect(statistics.oldestAge == nil && statistics.queuedTokens == 0)
  }

  @Test(arguments: seeds)
  func theEarliestDeadlineComesFirst(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let start = ContinuousClock.now
    var heap = DeadlineHeap()
    var times: [Int] = []
    for number in 0..<500 {
      let time = Int.random(in: 0..<100, using: &random)
      times.append(time)
      heap.insert(.init(deadline: start + .seconds(time), request: .init(number: UInt64(number))))
    }
    heap.keep { $0.number % 3 != 0 }
    var order: [Int] = []
    while let first = heap.first {
      order.append(Int((first.deadline - start).components.seconds))
      heap.removeFirst()
    }
    #expect(order == times.enumerated().filter { $0.offset % 3 != 0 }.map(\.element).sorted())
  }

  /// Quadratic work would keep this test for minutes.
  @Test func aHundredThousandSequencesWait() throws {
    let limits = BatchLimits.test(maxQueueTokens: 10_000_000)
    var scheduler = BatchScheduler(threadCount: 2, limits: limits)
    var now = ContinuousClock.now
    var running: [BatchScheduler.Batch] = []
    func take(_ actions: [BatchScheduler.Action]) {
      for case .start(let batch) in actions { running.append(batch) }
    }
    take(try scheduler.submit(Array(repeating: 20, count: 100_000), deadline: nil, at: now).1)
    var ids: [RequestID] = []
    for _ in 0..<100_000 {
      let (id, actions) = try scheduler.submit([20], deadline: now + .seconds(3600), at: now)
      ids.append(id)
      take(actions)
    }
    for id in ids.reversed().prefix(50_000) { scheduler.cancel(id) }
    while !running.isEmpty {
      now += .milliseconds(1)
      take(scheduler.finish(running.removeFirst(), at: now))
    }
    let statistics = scheduler.statistics(at: now)
    #expect(statistics.sequences == 150_000)
    #expect(statistics.requestsAnswered == 50_001)
    #expect(try #require(statistics.batchFill) > 0.95)
    #expect(scheduler.wakeUp == nil)
  }

  @Test func requestsThatAreGoneAreForgotten() throws {
    var scheduler = BatchScheduler(threadCount: 1, limits: BatchLimits.test())
    let now = ContinuousClock.now
    _ = try scheduler.submit([10], deadline: nil, at: now)
    for _ in 0..<10_000 {
      scheduler.cancel(try scheduler.submit([10], deadline: now + .seconds(60), at: now).0)
    }
    #expect(scheduler.lines[0].ring.count <= 65 && scheduler.deadlines.count <= 65)
  }
}
