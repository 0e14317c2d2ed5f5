/// What the batcher may take in and hand out. Tokens are rows: padding that was asked for counts.
public struct BatchLimits: Sendable, Equatable {
  /// The most rows of one pass: see `PackedBatch.usualRows`.
  public var maxBatchTokens: Int
  /// The most tokens that wait. A request that does not fit in what is left is refused.
  public var maxQueueTokens: Int
  /// How long a lone request may wait for company while threads are idle. 0: not at all.
  ///
  /// It holds for work that found the queue empty and ends early when a whole pass has gathered.
  public var maxWait: Duration
  /// The rows from which a pass is worth threads of its own.
  ///
  /// One thread alone is within a twentieth of its best speed at 32 rows, and pays none of the
  /// meetings that threads in one pass have after every product. Below that, all idle threads
  /// together answer sooner.
  public var minBatchRows: Int

  public init(
    maxBatchTokens: Int, maxQueueTokens: Int, maxWait: Duration, minBatchRows: Int = 32
  ) {
    precondition(maxBatchTokens > 0 && maxQueueTokens > 0 && minBatchRows > 0 && maxWait >= .zero)
    self.maxBatchTokens = maxBatchTokens
    self.maxQueueTokens = maxQueueTokens
    self.maxWait = maxWait
    self.minBatchRows = minBatchRows
  }
}
