import EncoderContract

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The likeliest tokens of one row, of what threads find in their parts of the vocabulary, in any order.
///
/// `@unchecked Sendable`: what changes is touched only inside `monitor`, until all parts are done.
final class TokenList: @unchecked Sendable {
  private struct Token {
    var id: Int32
    var logit: Float

    /// Of equal ones the first.
    func precedes(_ other: Token) -> Bool {
      logit > other.logit || logit == other.logit && id < other.id
    }
  }

  private let row: Int
  private let count: Int
  /// Ascending; nil: the whole vocabulary.
  private let candidates: [Int32]?
  private let hasProbabilities: Bool
  private let monitor = Monitor()
  /// The best first.
  private var tokens: [Token] = []
  /// Of each part the largest logit, and the sum of exp(logit - largest): added up in the order of parts
  /// in the end, so that it does not matter who did which.
  private var shares: [(largest: Double, sum: Double)] = []

  init(_ predictions: TokenPredictions, row: Int, _ vocabularySize: Int, _ partCount: Int) {
    self.row = row
    count = predictions.count(of: vocabularySize)
    candidates = predictions.candidates?.sorted()
    hasProbabilities = predictions.hasProbabilities
    tokens.reserveCapacity(count + 1)
    if hasProbabilities { shares = Array(repeating: (0, 0), count: partCount) }
  }

  /// - Parameters:
  ///   - logits: of `columns` tokens from the id `first` on.
  ///   - part: their number.
  /// - Returns: whether all that are looked at are finite.
  func take(_ logits: UnsafePointer<Float>, _ columns: Int, from first: Int, _ part: Int) -> Bool {
    var isFinite = true
    monitor.change {
      if let candidates {
        var place = Self.place(of: first, in: candidates)
        while place < candidates.count, Int(candidates[place]) < first + columns {
          let id = candidates[place]
          isFinite = unsafe insert(id, logits[Int(id) - first]) && isFinite
          place += 1
        }
      } else {
        var least = tokens.count < count ? -Float.infinity : tokens[count - 1].logit
        for column in 0..<columns {
          // So written that a NaN is seen.
          if unsafe logits[column] < least { continue }
          isFinite = unsafe insert(Int32(first + column), logits[column]) && isFinite
          if tokens.count == count { least = tokens[count - 1].logit }
        }
      }
      guard hasProbabilities else { return }
      var largest = -Float.infinity
      for column in 0..<columns { unsafe largest = max(largest, logits[column]) }
      var sum = 0.0
      for column in 0..<columns { unsafe sum += exp(Double(logits[column]) - Double(largest)) }
      shares[part] = (Double(largest), sum)
    }
    return isFinite
  }

  /// The first place of an id that is not less.
  private static func place(of id: Int, in ids: [Int32]) -> Int {
    var (low, high) = (0, ids.count)
    while low < high {
      let middle = (low + high) / 2
      if Int(ids[middle]) < id { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func insert(_ id: Int32, _ logit: Float) -> Bool {
    guard logit.isFinite else { return false }
    let token = Token(id: id, logit: logit)
    if tokens.count == count {
      guard token.precedes(tokens[count - 1]) else { return true }
      tokens.removeLast()
    }
    var (low, high) = (0, tokens.count)
    while low < high {
      let middle = (low + high) / 2
      if tokens[middle].precedes(token) { low = middle + 1 } else { high = middle }
    }
    tokens.insert(token, at: low)
    return true
  }

  /// When all parts are done.
  func append(to result: inout PredictedTokens) {
    result.rows.append(row)
    result.ids += tokens.map(\.id)
    result.logits += tokens.map(\.logit)
    guard hasProbabilities else { return }
    let largest = shares.reduce(-Double.infinity) { max($0, $1.largest) }
    let sum = shares.reduce(0.0) { $0 + $1.sum * exp($1.largest - largest) }
    result.probabilities += tokens.map { Float(exp(Double($0.logit) - largest) / sum) }
  }
}
