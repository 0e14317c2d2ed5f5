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
    candidates = predictions.candidates
    hasProbabilities = predictions.hasProbabilities
    tokens.reserveCapacity(count + 1)
    if hasProbabilities { shares = Array(repeating: (0, 0), count: partCount) }
  }

  /// - Parameters:
  ///   - logits: of `columns` tokens from the id `first` on.
  ///   - part: which part of the vocabulary they are.
  /// - Returns: whether all that are looked at are finite.
  func take(_ logits: UnsafePointer<Float>, _ columns: Int, from first: Int, _ part: Int) -> Bool {
    var isFinite = true
    // Outside the lock: it takes longest.
    let share = hasProbabilities ? unsafe Self.share(logits, columns) : nil
    monitor.change {
      if let share { shares[part] = share }
      if let candidates {
        var place = Self.firstPlace(candidates.count) { Int(candidates[$0]) >= first }
        while place < candidates.count, Int(candidates[place]) < first + columns {
          let id = candidates[place]
          isFinite = unsafe insert(id, logits[Int(id) - first]) && isFinite
          place += 1
        }
      } else {
        var least = tokens.count < count ? -Float.infinity : tokens[count - 1].logit
        for column in 0..<columns {
          // So written that a NaN and an infinity are seen, whatever came before.
          let logit = unsafe logits[column]
          if logit < least, logit != -.infinity { continue }
          isFinite = insert(Int32(first + column), logit) && isFinite
          if tokens.count == count { least = tokens[count - 1].logit }
        }
      }
    }
    return isFinite
  }

  private static func share(
    _ logits: UnsafePointer<Float>, _ columns: Int
  ) -> (largest: Double, sum: Double) {
    var largest = -Float.infinity
    for column in 0..<columns { unsafe largest = max(largest, logits[column]) }
    var sum = 0.0
    for column in 0..<columns { unsafe sum += exp(Double(logits[column]) - Double(largest)) }
    return (Double(largest), sum)
  }

  /// The first index for which the condition holds, or `count`; it holds for all after that one.
  private static func firstPlace(_ count: Int, where isReached: (Int) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isReached(middle) { high = middle } else { low = middle + 1 }
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
    tokens.insert(token, at: Self.firstPlace(tokens.count) { !tokens[$0].precedes(token) })
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
