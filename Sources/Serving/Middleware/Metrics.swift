import FoundationEssentials

/// Counts of what the routes did. One lock a request: it is held for some adds.
package final class Metrics: Middleware {
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

  /// Bounds of the buckets of lengths, tokens.
  static let lengthBounds: [Double] = (0...12).map { Double(1 << $0) }

  package struct Histogram {
    package let bounds: [Double]
    /// Observations up to each bound and past the last.
    package private(set) var counts: [Int]
    package private(set) var sum = 0.0

    init(_ bounds: [Double]) {
      self.bounds = bounds
      counts = Array(repeating: 0, count: bounds.count + 1)
    }

    mutating func observe(_ value: Double) {
      counts[bounds.firstIndex { value <= $0 } ?? counts.count - 1] += 1
      sum += value
    }
  }

  /// What one model did.
  package struct ModelCounts {
    /// Requests.
    package var answered = 0
    package var failed = 0
    /// Of answered requests.
    package var texts = 0
    /// Unix time of the last answer, milliseconds; 0 before the first.
    package var lastAnswer = 0
    /// Of answered requests, all together.
    package var stages = RequestRecord.Stages()

    package init() {}
  }

  package struct RequestKey: Hashable {
    package var method: String
    package var route: String
    package var status: Int
  }

  package enum Stage: String, CaseIterable {
    case total, tokenize, queue, encode, serialize
  }

  package struct Snapshot {
    package var requests: [RequestKey: Int] = [:]
    /// Requests that were not read to their end, or that nobody answered, by status.
    package var malformed: [Int: Int] = [:]
    /// Requests with one text, and with several, that were asked and that were answered.
    package var single = (asked: 0, answered: 0)
    package var batch = (asked: 0, answered: 0)
    package var texts = 0
    package var tokens = 0
    package var truncated = 0
    /// Members of bodies that had no effect.
    package var ignored = 0
    /// Requests with texts that failed, by status.
    package var failures: [Int: Int] = [:]
    /// Tokens of a text.
    package var lengths = Histogram(Metrics.lengthBounds)
    package var stages = [Histogram](
      repeating: Histogram(Metrics.durationBounds), count: Stage.allCases.count)
    package var models: [String: ModelCounts] = [:]
  }

  private let state = Locked(Snapshot())

  package var snapshot: Snapshot { state.withLock { $0 } }

  func ended(_ record: RequestRecord) {
    guard record.failure.isEmpty else {
      return state.withLock { $0.malformed[record.status, default: 0] += 1 }
    }
    let key = RequestKey(method: record.method, route: record.route, status: record.status)
    let now = Int(Date().timeIntervalSince1970 * 1000)
    state.withLock { state in
      state.requests[key, default: 0] += 1
      state.ignored += record.ignored.count
      guard record.texts > 0 else { return }
      let isAnswered = record.status == 200
      if record.texts == 1 {
        state.single.asked += 1
        state.single.answered += isAnswered ? 1 : 0
      } else {
        state.batch.asked += 1
        state.batch.answered += isAnswered ? 1 : 0
      }
      state.texts += record.texts
      state.tokens += record.tokens
      state.truncated += record.truncated
      guard isAnswered else {
        state.failures[record.status, default: 0] += 1
        state.models[record.model, default: ModelCounts()].failed += 1
        return
      }
      let stages = record.stages
      state.models[record.model, default: ModelCounts()].add(record, at: now)
      let durations = [
        stages.total, stages.tokenize, stages.queue, stages.encode, stages.serialize,
      ]
      for (index, duration) in durations.enumerated() {
        state.stages[index].observe(duration.seconds)
      }
    }
  }

  /// - Parameter lengths: tokens of each text of a request.
  package func observe(lengths: some Sequence<Int>) {
    state.withLock { state in
      for length in lengths { state.lengths.observe(Double(length)) }
    }
  }
}

extension Metrics.ModelCounts {
  fileprivate mutating func add(_ record: RequestRecord, at now: Int) {
    answered += 1
    texts += record.texts
    lastAnswer = now
    stages.tokenize += record.stages.tokenize
    stages.queue += record.stages.queue
    stages.encode += record.stages.encode
    stages.serialize += record.stages.serialize
    stages.total += record.stages.total
  }
}
