import EncoderContract

extension BatchScheduler {
  /// Tokens that a request may put into passes before it is the next one's turn.
  ///
  /// A few texts: a request of thousands never keeps a pass to itself while others wait. It need
  /// not reach the longest sequence: a request saves up over turns, as in "Efficient Fair Queuing
  /// Using Deficit Round Robin" (Shreedhar and Varghese, 1995).
  static let turnTokens = 128

  /// Takes a pass out of the queue; nil when no thread is idle, nothing waits, or it may yet grow.
  ///
  /// Encoders take turns, a pass each. Work that fills `minBatchRows` for several idle threads is
  /// shared out in equal passes, each on an equal part of them: threads that need not wait for each
  /// other are the fastest way through a queue. Work that does not is one pass on all idle threads:
  /// the fastest way to one answer.
  mutating func nextBatch(at now: Instant) -> Batch? {
    guard !idleThreads.isEmpty, counters.queuedTokens > 0 else { return nil }
    if !isDraining, counters.queuedTokens < limits.maxBatchTokens, let waitingSince,
      now < waitingSince.advanced(by: limits.maxWait)
    {
      return nil
    }
    while lines[turn].tokens == 0 { turn = (turn + 1) % lines.count }
    let line = lines[turn]
    let others = lines.count { $0.tokens > 0 } - 1
    let passes = max(
      1, min(idleThreads.count - others, line.sequences, line.tokens / limits.minBatchRows))
    let threadCount = (idleThreads.count + passes + others - 1) / (passes + others)
    let share = (line.tokens + passes - 1) / passes
    var batch = Batch(encoder: turn, threads: Array(idleThreads.prefix(threadCount)))
    fill(&batch, upTo: min(share, limits.maxBatchTokens, threadCount * maxThreadRows))

    turn = (turn + 1) % lines.count
    idleThreads.removeFirst(threadCount)
    counters.runningBatches += 1
    counters.runningRows += batch.rows
    drainRate.started(at: now)
    return batch
  }

  /// Deficit round robin over the waiting requests, until the next sequence in turn does not fit.
  ///
  /// The first sequence always fits: none is longer than a pass, whatever the share.
  ///
  /// - Complexity: O(sequences taken + rows taken / turn × requests).
  private mutating func fill(_ batch: inout Batch, upTo rowLimit: Int) {
    let line = batch.encoder
    while let id = lines[line].ring.first {
      guard var request = requests[id] else {
        lines[line].ring.removeFirst()
        continue
      }
      let start = request.next
      let rowsBefore = batch.rows
      var isFull = false
      while request.queuedSequences > 0 {
        let tokens = request.tokenCounts[request.next]
        if tokens > request.credit { break }
        isFull = !PackedBatch.takes(tokens, after: batch.rows, upTo: rowLimit)
        if isFull { break }
        request.next += 1
        request.credit -= tokens
        batch.count += 1
        batch.rows += tokens
        batch.longest = max(batch.longest, tokens)
      }

      let slice = Slice(
        request: id, indices: start..<request.next, rows: batch.rows - rowsBefore)
      if !slice.indices.isEmpty { batch.append(slice) }
      request.queuedTokens -= slice.rows
      lines[line].tokens -= slice.rows
      lines[line].sequences -= slice.indices.count
      counters.queuedTokens -= slice.rows
      counters.queuedSequences -= slice.indices.count
      if request.queuedSequences == 0 {
        counters.queuedRequests -= 1
        lines[line].ring.removeFirst()
      } else if !isFull {
        request.credit += Self.turnTokens
        lines[line].ring.rotate()
      }
      requests[id] = request
      if isFull { return }
    }
  }
}

extension BatchScheduler.Batch {
  /// Adds a slice, or lengthens the last one: a lone request has turn after turn.
  fileprivate mutating func append(_ slice: BatchScheduler.Slice) {
    guard let last = slices.last, last.request == slice.request else {
      slices.append(slice)
      return
    }
    slices[slices.count - 1].indices = last.indices.lowerBound..<slice.indices.upperBound
    slices[slices.count - 1].rows += slice.rows
  }
}
