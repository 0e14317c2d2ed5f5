import EncoderContract

/// Who runs when: a state machine without a clock, threads or token ids.
///
/// Events come in with the time; what is to be done comes out. Of a sequence it knows only how many
/// tokens it has.
struct BatchScheduler {
  typealias Instant = ContinuousClock.Instant

  /// Some sequences of a request, next to each other.
  struct Slice: Equatable {
    let request: RequestID
    var indices: Range<Int>
    var rows: Int
  }

  /// A pass. Its threads are busy until it is handed back to `finish`.
  struct Batch: Equatable {
    var encoder = 0
    let threads: [Int]
    var slices: [Slice] = []
    var count = 0
    var rows = 0
    /// Rows of its longest sequence.
    var longest = 0
  }

  enum Action: Equatable {
    case start(Batch)
    /// The request is gone from here; whoever sent it is to be told.
    case fail(RequestID, BatchingError)
  }

  struct Request {
    let encoder: Int
    let tokenCounts: [Int]
    let arrival: Instant
    /// Tokens it may put into passes before the next request's turn.
    var credit: Int
    var queuedTokens: Int
    /// The first sequence that waits; those before it are in a pass or done.
    var next = 0
    /// Sequences that wait or are in a pass.
    var unfinished: Int

    var queuedSequences: Int { tokenCounts.count - next }
  }

  /// What waits for one encoder.
  struct Line {
    /// Each request with waiting sequences, once; and some that are gone.
    var ring = RequestRing()
    var tokens = 0
    var sequences = 0
  }

  let limits: BatchLimits
  /// The most rows of a pass for each of its threads.
  let maxThreadRows: Int
  /// Requests with sequences that wait or are in a pass.
  var requests: [RequestID: Request] = [:]
  /// One per encoder.
  var lines: [Line]
  /// The encoder whose turn it is, if anything waits for it.
  var turn = 0
  /// The deadlines of requests that have one; and of some that are gone.
  var deadlines = DeadlineHeap()
  /// In rising order, so that a pass gets neighbours.
  var idleThreads: [Int]
  /// When the queue was last empty and something came.
  var waitingSince: Instant?
  var drainRate = DrainRate()
  var counters = BatchStatistics()
  private(set) var isDraining = false
  private var lastNumber: UInt64 = 0

  init(encoderCount: Int = 1, threadCount: Int, limits: BatchLimits) {
    precondition(encoderCount > 0 && threadCount > 0, "there is an encoder, and a thread to run it")
    self.limits = limits
    maxThreadRows = PackedBatch.maxThreadRows(of: threadCount, upTo: limits.maxBatchTokens)
    lines = Array(repeating: Line(), count: encoderCount)
    idleThreads = Array(0..<threadCount)
  }

  // MARK: Events

  /// - Throws: `tooLarge` or `queueFull`.
  mutating func checkRoom(for tokens: Int) throws(BatchingError) {
    if tokens > limits.maxQueueTokens {
      throw .tooLarge(tokens: tokens, limit: limits.maxQueueTokens)
    }
    let excess = counters.queuedTokens + tokens - limits.maxQueueTokens
    if excess > 0 {
      counters.requestsRejected += 1
      throw .queueFull(retryAfter: drainRate.retryAfter(tokens: excess))
    }
  }

  /// A request comes in.
  ///
  /// - Parameter tokenCounts: of each sequence, at least 1.
  mutating func submit(
    _ tokenCounts: [Int], to encoder: Int = 0, deadline: Instant?, at now: Instant
  ) throws(BatchingError) -> (RequestID, [Action]) {
    let tokens = tokenCounts.reduce(0, +)
    if isDraining { throw .draining }
    if tokenCounts.isEmpty { throw .empty }
    if let index = tokenCounts.firstIndex(where: { $0 > limits.maxBatchTokens }) {
      throw .sequenceTooLong(
        index: index, tokens: tokenCounts[index], limit: limits.maxBatchTokens)
    }
    try checkRoom(for: tokens)

    lastNumber += 1
    let id = RequestID(number: lastNumber)
    requests[id] = Request(
      encoder: encoder, tokenCounts: tokenCounts, arrival: now, credit: Self.turnTokens,
      queuedTokens: tokens, unfinished: tokenCounts.count)
    tidy(encoder)
    lines[encoder].ring.append(id)
    lines[encoder].tokens += tokens
    lines[encoder].sequences += tokenCounts.count
    if let deadline { deadlines.insert(.init(deadline: deadline, request: id)) }
    if counters.queuedTokens == 0 { waitingSince = now }
    counters.queuedTokens += tokens
    counters.queuedSequences += tokenCounts.count
    counters.queuedRequests += 1
    counters.requestsAccepted += 1
    counters.tokensAccepted += tokens
    return (id, advance(to: now))
  }

  /// Nobody waits for the request any more. What is in a pass is encoded for nobody.
  ///
  /// It starts nothing: what could have run was running.
  mutating func cancel(_ id: RequestID) {
    if remove(id) { counters.requestsCancelled += 1 }
  }

  /// A pass is over.
  ///
  /// - Parameter error: why it gave no results. Every request that had a part in it fails.
  mutating func finish(_ batch: Batch, error: BatchingError? = nil, at now: Instant) -> [Action] {
    idleThreads = (idleThreads + batch.threads).sorted()
    counters.runningBatches -= 1
    counters.runningRows -= batch.rows
    drainRate.finished(rows: batch.rows, at: now, idle: counters.runningBatches == 0)
    count(batch)

    var actions: [Action] = []
    for slice in batch.slices {
      guard var request = requests[slice.request] else {
        counters.rowsWasted += slice.rows
        counters.sequencesWasted += slice.indices.count
        continue
      }
      if let error {
        remove(slice.request)
        counters.requestsFailed += 1
        actions.append(.fail(slice.request, error))
        continue
      }
      request.unfinished -= slice.indices.count
      requests[slice.request] = request.unfinished == 0 ? nil : request
      if request.unfinished == 0 { counters.requestsAnswered += 1 }
    }
    return actions + advance(to: now)
  }

  /// Takes no more requests. What is here is finished, without waiting for company.
  mutating func drain(at now: Instant) -> [Action] {
    isDraining = true
    return advance(to: now)
  }

  /// Time has passed: drops what is late, starts what can run.
  mutating func advance(to now: Instant) -> [Action] {
    var actions: [Action] = []
    while let first = deadlines.first, first.deadline <= now {
      deadlines.removeFirst()
      guard remove(first.request) else { continue }
      counters.requestsExpired += 1
      actions.append(.fail(first.request, .expired))
    }
    while let batch = nextBatch(at: now) { actions.append(.start(batch)) }
    return actions
  }

  // MARK: Questions

  /// When `advance` is to be called if nothing else happens before; nil: never.
  var wakeUp: Instant? {
    mutating get {
      while let first = deadlines.first, requests[first.request] == nil { deadlines.removeFirst() }
      let isHeldBack = !idleThreads.isEmpty && counters.queuedTokens > 0
      let startsAt = isHeldBack ? waitingSince?.advanced(by: limits.maxWait) : nil
      guard let deadline = deadlines.first?.deadline, let startsAt else {
        return startsAt ?? deadlines.first?.deadline
      }
      return min(startsAt, deadline)
    }
  }

  /// Nothing waits, nothing runs, nothing will.
  var isDrained: Bool { isDraining && requests.isEmpty && counters.runningBatches == 0 }

  /// - Complexity: O(requests).
  func statistics(at now: Instant) -> BatchStatistics {
    var statistics = counters
    statistics.oldestAge = requests.values.lazy.map(\.arrival).min().map { max(.zero, now - $0) }
    statistics.tokensPerSecond = drainRate.rowsPerSecond
    statistics.stalledFor = drainRate.stalledFor(at: now)
    return statistics
  }

  // MARK: -

  /// Forgets a request and what of it still waits.
  ///
  /// Its places in the ring and among the deadlines stay until their turn or the next tidying.
  @discardableResult
  private mutating func remove(_ id: RequestID) -> Bool {
    guard let request = requests.removeValue(forKey: id) else { return false }
    if request.queuedSequences > 0 {
      lines[request.encoder].tokens -= request.queuedTokens
      lines[request.encoder].sequences -= request.queuedSequences
      counters.queuedRequests -= 1
      counters.queuedSequences -= request.queuedSequences
      counters.queuedTokens -= request.queuedTokens
      counters.sequencesDropped += request.queuedSequences
      counters.tokensDropped += request.queuedTokens
    }
    return true
  }

  /// Clears a ring and the deadlines of requests that are gone when most are: O(1) amortised.
  private mutating func tidy(_ encoder: Int) {
    if lines[encoder].ring.count > 2 * counters.queuedRequests + 64 {
      lines[encoder].ring.keep { requests[$0] != nil }
    }
    if deadlines.count > 2 * requests.count + 64 {
      deadlines.keep { requests[$0] != nil }
    }
  }

  private mutating func count(_ batch: Batch) {
    counters.batches += 1
    counters.sequences += batch.count
    counters.rows += batch.rows
    counters.rowsOffered += limits.maxBatchTokens
    counters.paddingRowsAvoided += batch.longest * batch.count - batch.rows
    counters.batchSequences.record(batch.count)
    counters.batchRows.record(batch.rows)
  }
}
