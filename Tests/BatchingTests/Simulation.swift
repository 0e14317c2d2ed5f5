@testable import Batching

/// A scheduler with a hand-moved clock, and a model of what it must do.
///
/// Every event is followed by checks of what holds at all times; `violations` says what did not.
struct Simulation {
  typealias Instant = ContinuousClock.Instant

  struct Request {
    let encoder: Int
    let tokenCounts: [Int]
    let deadline: Instant?
    /// The first sequence that no pass has taken.
    var next = 0
    var finished = 0
    var isGone = false

    var waitingTokens: Int { isGone ? 0 : tokenCounts[next...].reduce(0, +) }
  }

  var scheduler: BatchScheduler
  let threadCount: Int
  var now = ContinuousClock.now
  var requests: [RequestID: Request] = [:]
  var running: [BatchScheduler.Batch] = []
  /// Passes in the order they started, those that run included.
  var started: [BatchScheduler.Batch] = []
  var failures: [RequestID: BatchingError] = [:]
  var violations: [String] = []

  init(encoders: Int = 1, threads: Int, limits: BatchLimits) {
    threadCount = threads
    scheduler = BatchScheduler(encoderCount: encoders, threadCount: threads, limits: limits)
  }

  var statistics: BatchStatistics { scheduler.statistics(at: now) }

  // MARK: Events

  mutating func submit(
    _ tokenCounts: [Int], to encoder: Int = 0, timeout: Duration? = nil
  ) throws(BatchingError) -> RequestID {
    let deadline = timeout.map { now + $0 }
    let (id, actions) = try scheduler.submit(
      tokenCounts, to: encoder, deadline: deadline, at: now)
    requests[id] = Request(encoder: encoder, tokenCounts: tokenCounts, deadline: deadline)
    take(actions)
    return id
  }

  mutating func cancel(_ id: RequestID) {
    requests[id]?.isGone = true
    scheduler.cancel(id)
    take([])
  }

  mutating func advance(_ time: Duration) {
    now += time
    take(scheduler.advance(to: now))
  }

  /// Ends the n-th of the running passes.
  mutating func finish(_ n: Int = 0, error: BatchingError? = nil) {
    let batch = running.remove(at: n)
    for slice in batch.slices { requests[slice.request]!.finished += slice.indices.count }
    take(scheduler.finish(batch, error: error, at: now))
  }

  mutating func drain() { take(scheduler.drain(at: now)) }

  /// Ends pass after pass until none runs.
  mutating func finishAll(each time: Duration = .milliseconds(1)) {
    while !running.isEmpty {
      now += time
      finish()
    }
  }

  // MARK: Checks

  private mutating func take(_ actions: [BatchScheduler.Action]) {
    for action in actions {
      switch action {
      case .fail(let id, let error): fail(id, error)
      case .start(let batch): start(batch)
      }
    }
    checkState()
  }

  private mutating func fail(_ id: RequestID, _ error: BatchingError) {
    check(requests[id]?.isGone == false, "\(id) failed twice, or after its cancellation")
    if error == .expired {
      check(requests[id]!.deadline! <= now, "\(id) expired before its deadline")
    }
    requests[id]!.isGone = true
    failures[id] = error
  }

  private mutating func start(_ batch: BatchScheduler.Batch) {
    let busy = running.flatMap(\.threads)
    check(
      !batch.threads.isEmpty && Set(batch.threads + busy).count == batch.threads.count + busy.count,
      "threads \(batch.threads) while \(busy) are busy")
    check(batch.threads.allSatisfy((0..<threadCount).contains), "threads \(batch.threads)")
    check(batch.rows <= scheduler.limits.maxBatchTokens, "\(batch.rows) rows in a pass")
    check(
      batch.count == 1 || batch.rows <= batch.threads.count * scheduler.maxThreadRows,
      "\(batch.rows) rows on \(batch.threads.count) threads")
    check(batch.count > 0, "an empty pass")
    var lengths: [Int] = []
    for slice in batch.slices {
      var request = requests[slice.request]!
      check(request.encoder == batch.encoder, "\(slice.request) is encoded by another model")
      check(!request.isGone, "\(slice.request) is encoded though it is gone")
      check(request.deadline.map { $0 > now } ?? true, "\(slice.request) is encoded too late")
      check(slice.indices.lowerBound == request.next, "\(slice.indices) after \(request.next)")
      lengths += request.tokenCounts[slice.indices]
      check(slice.rows == request.tokenCounts[slice.indices].reduce(0, +), "rows of \(slice)")
      request.next = slice.indices.upperBound
      requests[slice.request] = request
    }
    check(
      batch.count == lengths.count && batch.rows == lengths.reduce(0, +)
        && batch.longest == lengths.max(), "sums of \(batch)")
    running.append(batch)
    started.append(batch)
  }

  private mutating func checkState() {
    let statistics = statistics
    let live = requests.values.filter { !$0.isGone && $0.finished < $0.tokenCounts.count }
    check(
      statistics.queuedTokens == requests.values.reduce(0) { $0 + $1.waitingTokens },
      "\(statistics.queuedTokens) queued tokens")
    check(statistics.queuedTokens <= scheduler.limits.maxQueueTokens, "the queue is over its bound")
    check(
      statistics.queuedRequests == live.count { $0.next < $0.tokenCounts.count },
      "\(statistics.queuedRequests) queued requests")
    check(
      statistics.tokensAccepted == statistics.queuedTokens + statistics.runningRows
        + statistics.rows + statistics.tokensDropped, "tokens are lost or made")
    check(statistics.runningRows == running.reduce(0) { $0 + $1.rows }, "running rows")
    check(statistics.runningBatches == running.count, "running passes")
    check(
      statistics.requestsAccepted - statistics.requestsAnswered - statistics.requestsCancelled
        - statistics.requestsExpired - statistics.requestsFailed == live.count,
      "requests are lost or made")
    if scheduler.limits.maxWait == .zero || scheduler.isDraining {
      check(
        statistics.queuedTokens == 0 || running.reduce(0) { $0 + $1.threads.count } == threadCount,
        "work waits for nothing")
    }
  }

  private mutating func check(_ isTrue: Bool, _ message: @autoclosure () -> String) {
    if !isTrue { violations.append(message()) }
  }
}

extension BatchLimits {
  static func test(
    maxBatchTokens: Int = 1024, maxQueueTokens: Int = 262_144, maxWait: Duration = .zero,
    minBatchRows: Int = 32
  ) -> BatchLimits {
    BatchLimits(
      maxBatchTokens: maxBatchTokens, maxQueueTokens: maxQueueTokens, maxWait: maxWait,
      minBatchRows: minBatchRows)
  }
}
