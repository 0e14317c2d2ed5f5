/// The likeliest tokens that are wanted of a masked-language-model head, in place of all its logits.
public struct TokenPredictions: Hashable, Sendable {
  /// K at the most.
  public static let maxCount = 1000

  /// K, tokens of a row, where there are so many candidates.
  public var count: Int
  /// Gives rows of this token alone, as those of `[MASK]`, and no others; nil: all rows.
  public var rowsOf: Int32?
  /// Candidates, distinct ids of the vocabulary, ascending; nil: all of it.
  public let candidates: [Int32]?
  /// Whether their shares of the softmax over the whole vocabulary are wanted.
  public var hasProbabilities: Bool

  /// - Precondition: `count` is 1 to `maxCount`.
  ///
  /// - Parameter candidates: in any order.
  public init(
    count: Int, rowsOf: Int32? = nil, candidates: [Int32]? = nil, hasProbabilities: Bool = false
  ) {
    precondition(1...Self.maxCount ~= count, "1 to \(Self.maxCount) tokens are given")
    self.count = count
    self.rowsOf = rowsOf
    self.candidates = candidates?.sorted()
    self.hasProbabilities = hasProbabilities
  }

  /// Tokens of a row, of a vocabulary of so many.
  public func count(of vocabularySize: Int) -> Int {
    min(count, candidates?.count ?? vocabularySize)
  }
}

/// The likeliest tokens of some rows of a sequence: K of each row, the likeliest first, of equal ones
/// that of the lowest id.
public struct PredictedTokens: Equatable, Sendable {
  /// Rows of the sequence, ascending: [R].
  public var rows: [Int] = []
  /// [R, K]
  public var ids: [Int32] = []
  /// [R, K]
  public var logits: [Float] = []
  /// [R, K]; empty if not asked for.
  public var probabilities: [Float] = []

  public init() {}
}
