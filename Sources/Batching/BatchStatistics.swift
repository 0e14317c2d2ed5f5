/// The batcher's counters since the start, and its state at one moment.
public struct BatchStatistics: Sendable, Equatable {
  // MARK: At this moment

  /// Waiting tokens, padding that was asked for included.
  public internal(set) var queuedTokens = 0
  public internal(set) var queuedSequences = 0
  /// Requests of which at least one sequence waits.
  public internal(set) var queuedRequests = 0
  public internal(set) var runningBatches = 0
  public internal(set) var runningRows = 0
  /// How long the oldest unanswered request has been here; nil if there is none.
  public internal(set) var oldestAge: Duration?
  /// Rows encoded per second of busy time, the last some thirty passes weighing most; nil before
  /// the first.
  public internal(set) var tokensPerSecond: Double?
  /// How long the passes that run have gone without one ending.
  public internal(set) var stalledFor = Duration.zero

  // MARK: Requests

  /// Each accepted request is later counted once as answered, cancelled, expired or failed.
  public internal(set) var requestsAccepted = 0
  public internal(set) var requestsAnswered = 0
  public internal(set) var requestsCancelled = 0
  public internal(set) var requestsExpired = 0
  public internal(set) var requestsFailed = 0
  /// Refused because the queue was full.
  public internal(set) var requestsRejected = 0

  // MARK: Work

  /// Tokens of accepted requests; the sum of queued, running and encoded rows and dropped tokens.
  public internal(set) var tokensAccepted = 0
  /// Tokens whose request was gone before their pass started: they cost nothing.
  public internal(set) var tokensDropped = 0
  public internal(set) var sequencesDropped = 0
  /// Rows and sequences of finished passes whose request was gone by then: work for nobody.
  public internal(set) var rowsWasted = 0
  public internal(set) var sequencesWasted = 0

  /// Finished passes.
  public internal(set) var batches = 0
  /// Sequences and rows of finished passes.
  public internal(set) var sequences = 0
  public internal(set) var rows = 0
  /// Rows that finished passes could have held: passes × `maxBatchTokens`.
  public internal(set) var rowsOffered = 0
  /// Rows that padding each pass to its longest sequence would have added.
  public internal(set) var paddingRowsAvoided = 0
  /// Sequences per finished pass.
  public internal(set) var batchSequences = SizeHistogram()
  /// Rows per finished pass.
  public internal(set) var batchRows = SizeHistogram()

  /// Mean share of the token budget that finished passes used, 0 to 1; nil before the first.
  public var batchFill: Double? { batches == 0 ? nil : Double(rows) / Double(rowsOffered) }

  public init() {}
}

/// How often sizes came, by power of two.
public struct SizeHistogram: Sendable, Equatable {
  /// Bucket i counts the sizes of 2^(i − 1) + 1 to 2^i; the last one everything larger too.
  public private(set) var counts = [Int](repeating: 0, count: 21)
  public private(set) var sum = 0

  public init() {}

  /// The largest size of each bucket but the last, which has no bound.
  public var upperBounds: [Int] { (0..<counts.count - 1).map { 1 << $0 } }

  mutating func record(_ size: Int) {
    let bucket = size <= 1 ? 0 : Int.bitWidth - (size - 1).leadingZeroBitCount
    counts[min(bucket, counts.count - 1)] += 1
    sum += size
  }
}
