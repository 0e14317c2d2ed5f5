import EncoderContract
import Testing

@testable import Batching

@Suite struct BatchSchedulerTests {
  // MARK: Threads

  @Test func aLoneTextGetsAllIdleThreads() throws {
    var simulation = Simulation(threads: 4, limits: BatchLimits.test())
    let id = try simulation.submit([16])
    #expect(
      simulation.started == [
        .init(
          threads: [0, 1, 2, 3], slices: [.init(request: id, indices: 0..<1, rows: 16)], count: 1,
          rows: 16, longest: 16)
      ])
    #expect(simulation.violations == [])
  }

  @Test func aLongTextIsNotSplit() throws {
    var simulation = Simulation(threads: 2, limits: BatchLimits.test())
    _ = try simulation.submit([512])
    #expect(simulation.started.map(\.threads) == [[0, 1]])
  }

  @Test func enoughWorkIsSharedOutInEqualPasses() throws {
    var simulation = Simulation(threads: 2, limits: BatchLimits.test())
    _ = try simulation.submit(Array(repeating: 10, count: 40))
    #expect(simulation.started.map(\.threads) == [[0], [1]])
    #expect(simulation.started.map(\.rows) == [200, 200])
  }

  @Test func littleWorkIsOnePass() throws {
    var simulation = Simulation(threads: 2, limits: BatchLimits.test(minBatchRows: 32))
    _ = try simulation.submit([21, 21, 21])
    #expect(simulation.started.map(\.threads) == [[0, 1]])
    simulation.finishAll()
    _ = try simulation.submit([16, 16, 16, 16])
    #expect(simulation.started.dropFirst().map(\.threads) == [[0], [1]])
    #expect(simulation.violations == [])
  }

  @Test func manyThreadsFormEqualGroups() throws {
    var simulation = Simulation(threads: 8, limits: BatchLimits.test(minBatchRows: 32))
    _ = try simulation.submit(Array(repeating: 10, count: 10))
    // 100 rows are three passes.
    #expect(simulation.started.map(\.threads) == [[0, 1, 2], [3, 4, 5], [6, 7]])
    #expect(simulation.started.map(\.rows) == [30, 30, 40])
    #expect(simulation.violations == [])
  }

  /// Together they have in passes at once what two threads would have.
  @Test func manyThreadsHaveSmallerPasses() throws {
    var simulation = Simulation(threads: 8, limits: BatchLimits.test(maxBatchTokens: 1024))
    _ = try simulation.submit(Array(repeating: 10, count: 1000))
    #expect(simulation.started.map(\.threads.count) == Array(repeating: 1, count: 8))
    #expect(simulation.started.map(\.rows) == Array(repeating: 250, count: 8))
    simulation.finishAll()
    // A longer text is a pass nonetheless.
    _ = try simulation.submit(Array(repeating: 1000, count: 16))
    #expect(simulation.started.suffix(8).map(\.rows) == Array(repeating: 1000, count: 8))
    #expect(simulation.violations == [])
  }

  @Test func encodersTakeTurns() throws {
    var simulation = Simulation(
      encoders: 2, threads: 1, limits: BatchLimits.test(maxBatchTokens: 100))
    _ = try simulation.submit(Array(repeating: 100, count: 4), to: 0)
    _ = try simulation.submit(Array(repeating: 50, count: 4), to: 1)
    simulation.finishAll()
    #expect(simulation.started.map(\.encoder) == [0, 1, 0, 1, 0, 0])
    #expect(simulation.started.map(\.rows) == [100, 100, 100, 100, 100, 100])
    #expect(simulation.violations == [])
  }

  @Test func encodersShareIdleThreads() throws {
    var simulation = Simulation(
      encoders: 2, threads: 4, limits: BatchLimits.test(maxBatchTokens: 512))
    _ = try simulation.submit([512])
    _ = try simulation.submit(Array(repeating: 16, count: 20), to: 1)
    _ = try simulation.submit([16])
    simulation.finish()
    #expect(simulation.started.map(\.encoder) == [0, 1, 0, 1])
    #expect(simulation.started.map(\.threads.count) == [4, 1, 2, 1])
    #expect(simulation.violations == [])
  }

  @Test func aPassGetsNeighbouringThreads() throws {
    var simulation = Simulation(threads: 4, limits: BatchLimits.test(maxBatchTokens: 100))
    _ = try simulation.submit(Array(repeating: 100, count: 4))
    for n in [2, 0, 1, 0] { simulation.finish(n) }
    _ = try simulation.submit([10])
    #expect(simulation.started.last?.threads == [0, 1, 2, 3])
  }

  @Test func oneIdleThreadTakesUpToTheBudget() throws {
    var simulation = Simulation(threads: 2, limits: BatchLimits.test(maxBatchTokens: 100))
    _ = try simulation.submit(Array(repeating: 30, count: 20))
    #expect(simulation.started.map(\.count) == [3, 3])
    simulation.finish(1)
    #expect(simulation.started.last?.threads == [1])
    #expect(simulation.started.last?.count == 3)
    simulation.finishAll()
    #expect(simulation.started.reduce(0) { $0 + $1.count } == 20)
    #expect(simulation.violations == [])
  }

  // MARK: Fairness

  @Test func oneTextBehindAThousandIsInTheNextPass() throws {
    var simulation = Simulation(threads: 2, limits: BatchLimits.test())
    let large = try simulation.submit(Array(repeating: 30, count: 1000))
    let small = try simulation.submit([16])
    simulation.finish()
    let next = try #require(simulation.started.last)
    #expect(next.slices.map(\.request) == [large, small, large])
    #expect(next.slices[0].rows <= BatchScheduler.turnTokens)
    simulation.finishAll()
    #expect(simulation.violations == [])
  }

  @Test func oneTextBehindTwentyLargeRequestsWaitsOneRound() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxBatchTokens: 512))
    for _ in 0..<20 { _ = try simulation.submit(Array(repeating: 50, count: 200)) }
    let passesBefore = simulation.started.count
    let small = try simulation.submit([500])
    while simulation.requests[small]!.next == 0 { simulation.finish() }
    let rows = simulation.started[passesBefore...].reduce(0) { $0 + $1.rows }
    // 500 tokens are saved up in four turns; nobody may put in more than a turn and a text each.
    #expect(rows <= 4 * 20 * BatchScheduler.turnTokens + 20 * 50 + 500)
    #expect(simulation.violations == [])
  }

  @Test func longAndShortTextsGetTheSameTokens() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxBatchTokens: 600))
    let long = try simulation.submit(Array(repeating: 500, count: 100))
    let short = try simulation.submit(Array(repeating: 7, count: 5000))
    for _ in 0..<40 { simulation.finish() }
    let encoded = [long, short].map { id in
      simulation.started.flatMap(\.slices).filter { $0.request == id }.reduce(0) { $0 + $1.rows }
    }
    #expect(abs(encoded[0] - encoded[1]) <= 2 * (500 + BatchScheduler.turnTokens + 600))
    #expect(encoded[0] + encoded[1] > 40 * 300)
    #expect(simulation.violations == [])
  }

  @Test func aStreamOfSmallRequestsDoesNotStarveALargeOne() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxBatchTokens: 256))
    let large = try simulation.submit(Array(repeating: 20, count: 300))
    var passes = 0
    while simulation.requests[large]!.next < 300 {
      for _ in 0..<3 { _ = try simulation.submit([60]) }
      simulation.finish()
      passes += 1
      try #require(passes < 200)
    }
    // At worst four requests share a pass that the next text of 60 tokens did not fit into.
    #expect(passes <= 300 * 20 / ((256 - 60) / 4))
    #expect(simulation.violations == [])
  }

  // MARK: Waiting for company

  @Test func aLoneRequestWaitsNoLongerThanMaxWait() throws {
    var simulation = Simulation(threads: 2, limits: BatchLimits.test(maxWait: .milliseconds(5)))
    _ = try simulation.submit([10])
    #expect(simulation.started.isEmpty)
    #expect(simulation.scheduler.wakeUp == simulation.now + .milliseconds(5))
    simulation.advance(.milliseconds(4))
    _ = try simulation.submit([10])
    #expect(simulation.started.isEmpty)
    simulation.advance(.milliseconds(1))
    #expect(simulation.started.map(\.count) == [2])
    #expect(simulation.scheduler.wakeUp == nil)
  }

  @Test func aHeldBackRequestMayExpireOrGo() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxWait: .milliseconds(5)))
    let late = try simulation.submit([10], timeout: .milliseconds(3))
    #expect(simulation.scheduler.wakeUp == simulation.now + .milliseconds(3))
    simulation.advance(.milliseconds(3))
    #expect(simulation.failures == [late: .expired])
    #expect(simulation.scheduler.wakeUp == nil)
    simulation.cancel(try simulation.submit([10], timeout: .seconds(1)))
    #expect(simulation.scheduler.wakeUp == nil)
    _ = try simulation.submit([10], timeout: .seconds(1))
    #expect(simulation.scheduler.wakeUp == simulation.now + .milliseconds(5))
    #expect(simulation.started.isEmpty)
  }

  @Test func aFullPassWaitsForNobody() throws {
    let limits = BatchLimits.test(maxBatchTokens: 100, maxWait: .seconds(1))
    var simulation = Simulation(threads: 1, limits: limits)
    _ = try simulation.submit([60])
    #expect(simulation.started.isEmpty)
    _ = try simulation.submit([60])
    #expect(simulation.started.map(\.count) == [1])
    // What waited while the thread was busy has waited enough.
    simulation.advance(.seconds(2))
    simulation.finish()
    #expect(simulation.started.count == 2)
  }

  @Test func drainingWaitsForNobody() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxWait: .seconds(1)))
    _ = try simulation.submit([10])
    simulation.drain()
    #expect(simulation.started.count == 1)
    #expect(throws: BatchingError.draining) { try simulation.submit([10]) }
    #expect(!simulation.scheduler.isDrained)
    simulation.finish()
    #expect(simulation.scheduler.isDrained)
  }

  // MARK: Bounds

  @Test func whatCanNeverRunIsRefused() throws {
    let limits = BatchLimits.test(maxBatchTokens: 100, maxQueueTokens: 250)
    var simulation = Simulation(threads: 1, limits: limits)
    #expect(throws: BatchingError.empty) { try simulation.submit([]) }
    #expect(throws: BatchingError.sequenceTooLong(index: 1, tokens: 101, limit: 100)) {
      try simulation.submit([100, 101])
    }
    #expect(throws: BatchingError.tooLarge(tokens: 251, limit: 250)) {
      try simulation.submit([100, 100, 51])
    }
    #expect(simulation.statistics == Simulation(threads: 1, limits: limits).statistics)
    _ = try simulation.submit([100, 100, 50])
    #expect(simulation.violations == [])
  }

  @Test func aFullQueueSaysWhenItHasRoom() throws {
    let limits = BatchLimits.test(maxBatchTokens: 100, maxQueueTokens: 1000)
    var simulation = Simulation(threads: 1, limits: limits)
    func retryAfter(_ tokens: Int) -> Int? {
      var copy = simulation
      do throws(BatchingError) {
        _ = try copy.submit(Array(repeating: 100, count: tokens / 100))
        return nil
      } catch {
        guard case .queueFull(let seconds) = error else { return nil }
        return seconds
      }
    }
    _ = try simulation.submit(Array(repeating: 100, count: 10))
    _ = try simulation.submit([100])
    #expect(retryAfter(100) == 5, "nothing is known yet")
    for _ in 0..<5 {
      simulation.now += .seconds(4)
      simulation.finish()
    }
    // 25 tokens a second, and 500 of 1000 wait.
    #expect(abs(try #require(simulation.statistics.tokensPerSecond) - 25) < 1e-9)
    #expect(retryAfter(500) == nil)
    #expect(retryAfter(600) == 4)
    #expect(retryAfter(700) == 8)
    #expect(retryAfter(1000) == 20)
    for _ in 0..<5 { _ = try simulation.submit([100]) }
    #expect(throws: BatchingError.queueFull(retryAfter: 4)) { try simulation.submit([100]) }
    #expect(simulation.statistics.requestsRejected == 1)
    #expect(simulation.violations == [])
  }

  @Test func retryAfterIsOneToSixtySeconds() {
    var rate = DrainRate()
    let start = ContinuousClock.now
    rate.started(at: start)
    rate.finished(rows: 10, at: start + .seconds(1), idle: false)
    #expect(rate.retryAfter(tokens: 1) == 1)
    #expect(rate.retryAfter(tokens: 11) == 2)
    #expect(rate.retryAfter(tokens: 1_000_000) == 60)
    #expect(rate.retryAfter(tokens: .max) == 60)
  }

  @Test func idleTimeIsNotSlowness() {
    var rate = DrainRate()
    var now = ContinuousClock.now
    for _ in 0..<10 {
      rate.started(at: now)
      now += .seconds(1)
      rate.finished(rows: 100, at: now, idle: true)
      now += .seconds(3600)
    }
    #expect(abs(rate.rowsPerSecond! - 100) < 1e-9)
  }

  @Test func theRateFollowsAChange() {
    var rate = DrainRate()
    var now = ContinuousClock.now
    rate.started(at: now)
    for pass in 0..<300 {
      now += pass < 150 ? .seconds(1) : .seconds(4)
      rate.finished(rows: 100, at: now, idle: false)
    }
    #expect(abs(rate.rowsPerSecond! - 25) < 1)
  }

  // MARK: Requests that go

  @Test func aLateRequestIsNeverEncoded() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test())
    let first = try simulation.submit([10])
    let late = try simulation.submit([20], timeout: .seconds(1))
    let patient = try simulation.submit([30], timeout: .seconds(2))
    #expect(simulation.scheduler.wakeUp == simulation.now + .seconds(1))
    simulation.now += .seconds(1)
    simulation.finish()
    #expect(simulation.failures == [late: .expired])
    #expect(simulation.started.flatMap(\.slices).map(\.request) == [first, patient])
    #expect(simulation.statistics.tokensDropped == 20)
    #expect(simulation.violations == [])
  }

  @Test func theRestOfALateRequestIsDropped() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxBatchTokens: 100))
    let id = try simulation.submit(Array(repeating: 50, count: 10), timeout: .seconds(3))
    simulation.now += .seconds(1)
    simulation.finish()
    simulation.advance(.seconds(2))
    #expect(simulation.failures == [id: .expired])
    #expect(simulation.statistics.sequencesDropped == 6)
    simulation.finish()
    #expect(simulation.running.isEmpty)
    let statistics = simulation.statistics
    #expect(statistics.sequences == 4 && statistics.sequencesWasted == 2)
    #expect(statistics.requestsExpired == 1 && statistics.requestsAnswered == 0)
    #expect(simulation.violations == [])
  }

  @Test func whatIsCancelledCostsNothing() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxBatchTokens: 100))
    let first = try simulation.submit([40])
    let cancelled = try simulation.submit([50, 60])
    simulation.cancel(cancelled)
    simulation.cancel(cancelled)
    simulation.finish()
    #expect(simulation.started.count == 1 && simulation.running.isEmpty)

    let half = try simulation.submit([50, 60])
    simulation.cancel(half)
    simulation.cancel(first)
    simulation.finish()
    let statistics = simulation.statistics
    #expect(statistics.requestsAnswered == 1 && statistics.requestsCancelled == 2)
    #expect(statistics.sequencesDropped == 3 && statistics.tokensDropped == 170)
    #expect(statistics.sequencesWasted == 1 && statistics.rowsWasted == 50)
    #expect(simulation.violations == [])
  }

  @Test func aBrokenPassFailsThoseInIt() throws {
    let error = BatchingError.encoder(.notFinite(key: .pooledOutput))
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxBatchTokens: 100))
    let first = try simulation.submit([90, 90])
    let second = try simulation.submit([10])
    simulation.finish(error: error)
    #expect(simulation.failures == [first: error])
    simulation.finish()
    #expect(simulation.statistics.requestsFailed == 1)
    #expect(simulation.statistics.requestsAnswered == 1)
    #expect(simulation.requests[second]!.finished == 1)
    #expect(simulation.violations == [])
  }

  // MARK: Counters

  @Test func countersCount() throws {
    var simulation = Simulation(threads: 1, limits: BatchLimits.test(maxBatchTokens: 100))
    _ = try simulation.submit([10])
    simulation.now += .seconds(1)
    _ = try simulation.submit([40, 10, 20])
    simulation.now += .seconds(2)
    #expect(simulation.statistics.oldestAge == .seconds(3))
    #expect(simulation.statistics.queuedSequences == 3)
    simulation.finish()
    #expect(simulation.statistics.oldestAge == .seconds(2))
    simulation.finish()
    let statistics = simulation.statistics
    #expect(statistics.oldestAge == nil)
    #expect(statistics.batches == 2 && statistics.sequences == 4 && statistics.rows == 80)
    #expect(statistics.batchFill == 0.4)
    #expect(statistics.paddingRowsAvoided == 3 * 40 - 70)
    #expect(statistics.batchRows.sum == 80 && statistics.batchSequences.sum == 4)
    // 10 rows are at most 16, 70 at most 128.
    #expect(Array(statistics.batchRows.counts.prefix(8)) == [0, 0, 0, 0, 1, 0, 0, 1])
    #expect(Array(statistics.batchRows.upperBounds.prefix(8)) == [1, 2, 4, 8, 16, 32, 64, 128])
    // 1 sequence, 3 sequences.
    #expect(Array(statistics.batchSequences.counts.prefix(3)) == [1, 0, 1])
  }
}
