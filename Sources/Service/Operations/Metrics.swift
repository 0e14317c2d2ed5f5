/// Counts of what the routes did. One lock a request: it is held for some adds.
final class Metrics: Sendable {
  /// Bounds of the duration buckets, seconds: text-embeddings-inference's, 15 µs · 1.5ⁿ.
  static let durationBounds: [Double] = {
    var bounds: [Double] = []
    var bound = 1.5e-5
    for _ in 0..<35 {
      bounds.append(bound)
      bound *= 1.5
    }
    return bounds
  }()

  struct Histogram {
    /// Observations up to each bound and past the last.
    var counts = [Int](repeating: 0, count: Metrics.durationBounds.count + 1)
    var sum = 0.0

    mutating func observe(_ duration: Duration) {
      let seconds = duration.seconds
      counts[Metrics.durationBounds.firstIndex { seconds <= $0 } ?? counts.count - 1] += 1
      sum += seconds
    }
  }

  struct RequestKey: Hashable {
    var method: String
    var route: String
    var status: Int
  }

  enum Stage: String, CaseIterable {
    case total, tokenize, queue, encode, serialize
  }

  struct Snapshot {
    var requests: [RequestKey: Int] = [:]
    var malformed: [Int: Int] = [:]
    /// Requests with one text, and with several, that were asked and that were answered.
    var single = (asked: 0, answered: 0)
    var batch = (asked: 0, answered: 0)
    var texts = 0
    var tokens = 0
    var truncated = 0
    var stages = [Histogram](repeating: Histogram(), count: Stage.allCases.count)
  }

  private let state = Locked(Snapshot())

  var snapshot: Snapshot { state.withLock { $0 } }

  func record(_ record: RequestRecord) {
    let key = RequestKey(method: record.method, route: record.route, status: record.status)
    state.withLock { state in
      state.requests[key, default: 0] += 1
      guard record.texts > 0 else { return }
      let answered = record.status == 200 ? 1 : 0
      if record.texts == 1 {
        state.single.asked += 1
        state.single.answered += answered
      } else {
        state.batch.asked += 1
        state.batch.answered += answered
      }
      state.texts += record.texts
      state.tokens += record.tokens
      state.truncated += record.truncated
      guard answered == 1 else { return }
      let stages = record.stages
      let durations = [
        stages.total, stages.tokenize, stages.queue, stages.encode, stages.serialize,
      ]
      for (index, duration) in durations.enumerated() { state.stages[index].observe(duration) }
    }
  }

  /// A request that never became one: bad framing, a deadline while it was read.
  func countMalformed(status: Int) {
    state.withLock { $0.malformed[status, default: 0] += 1 }
  }
}
