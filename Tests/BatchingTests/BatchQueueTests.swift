import Dispatch
import EncoderContract
import TestSupport
import Testing

@testable import Batching

/// What a request hears, in order.
private final class Ear: Sendable {
  private let heard = Guarded<[BatchEvent]>([])

  func hear(_ event: BatchEvent) { heard.access { $0.append(event) } }

  /// Index → sum of ids.
  var sums: [Int: Int] {
    var sums: [Int: Int] = [:]
    for case .encoded(let index, let result) in heard.access({ $0 }) {
      sums[index] = Int(result.sequence[.pooledOutput][0])
    }
    return sums
  }

  var errors: [BatchingError] {
    heard.access { $0 }.compactMap { event in
      if case .failed(let error) = event { error } else { nil }
    }
  }

  var count: Int { heard.access { $0.count } }
}

extension BatchQueue {
  fileprivate func drained() async {
    await withCheckedContinuation { done in drain { done.resume() } }
  }
}

@Suite struct BatchQueueTests {
  @Test func eachTextGetsItsOwnAnswer() async throws {
    let encoder = FakeEncoder(threads: 2)
    let queue = BatchQueue(encoders: [encoder], limits: BatchLimits.test(maxBatchTokens: 50))
    let ears = (0..<20).map { _ in Ear() }
    for (request, ear) in ears.enumerated() {
      let items = (0..<30).map { item($0 % 10 + 1, sum: request * 100 + $0) }
      _ = try queue.submit(items, onEvent: ear.hear)
    }
    await queue.drained()
    for (request, ear) in ears.enumerated() {
      #expect(ear.count == 30)
      #expect(
        ear.sums == [Int: Int](uniqueKeysWithValues: (0..<30).map { ($0, request * 100 + $0) }))
    }
    #expect(encoder.seen.overlaps == 0)
    let statistics = queue.statistics
    #expect(statistics.requestsAnswered == 20 && statistics.sequences == 600)
    #expect(try #require(statistics.tokensPerSecond) > 0)
  }

  /// Texts come in just as passes end and start: their clock must not run back.
  @Test func noTextWaitsForLessThanNoTime() async throws {
    let queue = BatchQueue(encoders: [FakeEncoder(threads: 2)], limits: BatchLimits.test())
    let shortest = Guarded(Duration.seconds(1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<2000 {
            _ = try queue.submit([item(1, sum: 1)]) { event in
              guard case .encoded(_, let result) = event else { return }
              shortest.access { $0 = min($0, result.queueTime, result.encodeTime) }
            }
          }
        }
      }
      try await group.waitForAll()
    }
    await queue.drained()
    #expect(shortest.access { $0 } >= .zero)
  }

  @Test func gatheredAnswersComeInOrder() async throws {
    let queue = BatchQueue(
      encoders: [FakeEncoder(threads: 2)], limits: BatchLimits.test(maxBatchTokens: 20))
    let results = try await withCheckedThrowingContinuation { done in
      do {
        _ = try queue.encode((0..<40).map { item(7, sum: $0) }) { done.resume(with: $0) }
      } catch {
        done.resume(throwing: error)
      }
    }
    #expect(results.map { Int($0.sequence[.pooledOutput][0]) } == Array(0..<40))
    #expect(results.allSatisfy { $0.queueTime >= .zero && $0.encodeTime > .zero })
    #expect(results.allSatisfy { $0.sequence.rowCount == 7 })
  }

  @Test func aRefusedRequestHearsNothing() async throws {
    let gate = Gate()
    let encoder = FakeEncoder(threads: 1) { _ in
      gate.pass()
      return nil
    }
    let limits = BatchLimits.test(maxBatchTokens: 10, maxQueueTokens: 20)
    let queue = BatchQueue(encoders: [encoder], limits: limits)
    let ear = Ear()
    let refused = Ear()
    for sum in 0..<3 { _ = try queue.submit([item(10, sum: sum)], onEvent: ear.hear) }
    #expect(throws: BatchingError.queueFull(retryAfter: 5)) {
      try queue.submit([item(1, sum: 0)], onEvent: refused.hear)
    }
    #expect(throws: BatchingError.empty) { try queue.submit([], onEvent: refused.hear) }
    #expect(throws: BatchingError.tooLarge(tokens: 27, limit: 20)) {
      try queue.submit([9, 9, 9].map { item($0, sum: 0) }, onEvent: refused.hear)
    }
    #expect(queue.statistics.queuedTokens == 20)
    gate.open()
    await queue.drained()
    #expect(throws: BatchingError.draining) {
      try queue.submit([item(1, sum: 0)], onEvent: refused.hear)
    }
    #expect(ear.count == 3 && refused.count == 0)
  }

  @Test func aLateRequestHearsSoWhileTheEncoderIsBusy() async throws {
    let gate = Gate()
    let encoder = FakeEncoder(threads: 1) { _ in
      gate.pass()
      return nil
    }
    let queue = BatchQueue(encoders: [encoder], limits: BatchLimits.test(maxBatchTokens: 10))
    let patient = Ear()
    let running = Ear()
    _ = try queue.submit([item(5, sum: 0)], deadline: .now + .seconds(1 << 40)) {
      patient.hear($0)
    }
    let error = await withCheckedContinuation { done in
      // The first pass is held back: neither the text in it nor this one can be done in time.
      _ = try? queue.submit([item(6, sum: 1)], deadline: .now + .milliseconds(20)) { event in
        running.hear(event)
        if case .failed(let error) = event { done.resume(returning: error) }
      }
    }
    #expect(error == .expired)
    #expect(patient.count == 0)
    gate.open()
    await queue.drained()
    #expect(patient.sums == [0: 0] && running.count == 1)
    #expect(encoder.seen.sequences == 1)
  }

  @Test func eachDeadlineIsKept() async throws {
    let gate = Gate()
    let encoder = FakeEncoder(threads: 1) { _ in
      gate.pass()
      return nil
    }
    let queue = BatchQueue(encoders: [encoder], limits: BatchLimits.test())
    await withTaskGroup { group in
      for timeout in [30, 10, 50] {
        group.addTask {
          await withCheckedContinuation { done in
            _ = try? queue.submit(
              [item(6, sum: 1)], deadline: .now + .milliseconds(timeout)
            ) { _ in done.resume() }
          }
        }
      }
    }
    #expect(queue.statistics.requestsExpired == 3)
    gate.open()
    await queue.drained()
  }

  @Test func aLateRequestInAPassIsToldAtOnce() async throws {
    let gate = Gate()
    let encoder = FakeEncoder(threads: 1) { _ in
      gate.pass()
      return nil
    }
    let queue = BatchQueue(encoders: [encoder], limits: BatchLimits.test())
    let ear = Ear()
    await withCheckedContinuation { done in
      _ = try? queue.submit([item(6, sum: 1)], deadline: .now + .milliseconds(10)) { event in
        ear.hear(event)
        done.resume()
      }
    }
    gate.open()
    await queue.drained()
    #expect(ear.errors == [.expired] && ear.count == 1)
    #expect(queue.statistics.sequencesWasted == 1)
  }

  @Test func maxWaitEndsByItself() async throws {
    let encoder = FakeEncoder(threads: 1)
    let queue = BatchQueue(
      encoders: [encoder], limits: BatchLimits.test(maxWait: .milliseconds(30)))
    await withTaskGroup { group in
      for sum in 0..<3 {
        group.addTask {
          await withCheckedContinuation { done in
            _ = try? queue.submit([item(5, sum: sum)]) { _ in done.resume() }
          }
        }
      }
    }
    #expect(queue.statistics.sequences == 3)
  }

  @Test func aCancelledRequestHearsNoMore() async throws {
    let gate = Gate()
    let encoder = FakeEncoder(threads: 1) { _ in
      gate.pass()
      return nil
    }
    let queue = BatchQueue(encoders: [encoder], limits: BatchLimits.test(maxBatchTokens: 10))
    let ear = Ear()
    let inPass = try queue.submit([item(10, sum: 0)], onEvent: ear.hear)
    let waiting = try queue.submit([item(10, sum: 0)], onEvent: ear.hear)
    queue.cancel(inPass)
    queue.cancel(waiting)
    queue.cancel(waiting)
    gate.open()
    await queue.drained()
    #expect(ear.count == 0)
    #expect(encoder.seen.sequences == 1)
    #expect(queue.statistics.requestsCancelled == 2)
    #expect(queue.statistics.sequencesWasted == 1)
  }

  @Test func aListenerMayCancelItsOwnRequest() async throws {
    let queue = BatchQueue(encoders: [FakeEncoder(threads: 1)], limits: BatchLimits.test())
    let ear = Ear()
    let id = Guarded<RequestID?>(nil)
    let known = DispatchSemaphore(value: 0)
    let request = try queue.submit((0..<10).map { item(3, sum: $0) }) { event in
      known.wait()
      ear.hear(event)
      if ear.count == 4 { queue.cancel(id.access { $0! }) }
      known.signal()
    }
    id.access { $0 = request }
    known.signal()
    await queue.drained()
    #expect(ear.count == 4)
  }

  @Test func aBrokenPassFailsItsRequestsOnce() async throws {
    let error = EncodeError.notFinite(key: .pooledOutput)
    let encoder = FakeEncoder(threads: 2) { $0.ids.contains(666) ? error : nil }
    let queue = BatchQueue(encoders: [encoder], limits: BatchLimits.test(maxBatchTokens: 64))
    let broken = Ear()
    let whole = Ear()
    _ = try queue.submit((0..<20).map { _ in item(20, sum: 666) }, onEvent: broken.hear)
    _ = try queue.submit([item(64, sum: 1)], onEvent: whole.hear)
    await queue.drained()
    #expect(broken.errors == [.encoder(error)] && broken.count == 1)
    #expect(whole.sums == [0: 1])
  }

  @Test func drainingEndsWhenAllIsHeard() async throws {
    for _ in 0..<20 {
      let queue = BatchQueue(
        encoders: [FakeEncoder(threads: 2)], limits: BatchLimits.test(maxBatchTokens: 10))
      let ear = Ear()
      _ = try queue.submit((0..<8).map { item(8, sum: $0) }, onEvent: ear.hear)
      let heard = await withCheckedContinuation { done in
        queue.drain { done.resume(returning: ear.count) }
      }
      #expect(heard == 8)
    }
  }

  @Test func drainingTwiceCompletesTwice() async throws {
    let queue = BatchQueue(encoders: [FakeEncoder(threads: 1)], limits: BatchLimits.test())
    let ear = Ear()
    _ = try queue.submit([item(3, sum: 9)], onEvent: ear.hear)
    async let first: Void = queue.drained()
    async let second: Void = queue.drained()
    _ = await (first, second)
    await queue.drained()
    #expect(ear.sums == [0: 9])
  }

  /// Many threads submit, cancel and time out at once; every request that stays hears all.
  @Test func manyThreadsLoseNothing() async throws {
    struct Sent {
      let ear = Ear()
      let count: Int
      var isAccepted = true
      let isCancelled: Bool
    }
    let encoder = FakeEncoder(threads: 3)
    let limits = BatchLimits.test(maxBatchTokens: 60, maxQueueTokens: 2000, minBatchRows: 8)
    let queue = BatchQueue(encoders: [encoder], limits: limits)
    let seed = SeededGenerator.seed
    let all = await withTaskGroup(of: [Sent].self) { group in
      for task in 0..<6 {
        group.addTask {
          var random = SeededGenerator(seed: seed &+ UInt64(task))
          var sent: [Sent] = []
          for _ in 0..<400 {
            var request = Sent(
              count: Int.random(in: 1...6, using: &random),
              isCancelled: Int.random(in: 0..<5, using: &random) == 0)
            let items = (0..<request.count).map { sum in
              item(Int.random(in: 1...30, using: &random), sum: sum)
            }
            let isLate = Int.random(in: 0..<10, using: &random) == 0
            do throws(BatchingError) {
              let id = try queue.submit(
                items, deadline: isLate ? .now + .microseconds(200) : nil,
                onEvent: request.ear.hear)
              if request.isCancelled { queue.cancel(id) }
            } catch {
              request.isAccepted = false
              await Task.yield()
            }
            sent.append(request)
          }
          return sent
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    await queue.drained()

    for request in all {
      let ear = request.ear
      let isRight =
        switch (request.isAccepted, ear.errors) {
        case (false, _): ear.count == 0
        case (true, []): ear.sums.count == request.count && ear.count == request.count
        case (true, [.expired]): ear.count <= request.count
        default: false
        }
      #expect(isRight || request.isCancelled, "seed \(seed): \(ear.count) of \(request.count)")
      #expect(ear.count <= request.count, "seed \(seed)")
      #expect(ear.sums.allSatisfy { $0.key == $0.value }, "seed \(seed)")
    }
    #expect(encoder.seen.overlaps == 0)
    let statistics = queue.statistics
    #expect(statistics.requestsAccepted == all.count(where: \.isAccepted))
    #expect(
      statistics.requestsAnswered + statistics.requestsCancelled + statistics.requestsExpired
        == statistics.requestsAccepted)
    #expect(statistics.queuedTokens == 0 && statistics.runningBatches == 0)
    #expect(statistics.tokensAccepted == statistics.rows + statistics.tokensDropped)
  }
}
