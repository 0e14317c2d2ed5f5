/// What a text is in a search.
public enum InputType: String, CaseIterable, Sendable { case query, document }

/// Tokens that a query is filled up with (an expansion); their vectors are scored as its own are.
///
/// Source: ColBERT (Khattab and Zaharia, 2020), and sentence-transformers' `query_expansion`.
public struct QueryExpansion: Hashable, Sendable {
  /// `[MASK]`, usually; not the padding token.
  public var token: Int32
  /// Tokens of the expanded query, special ones included.
  public var length: Int
  /// Whether the encoder attends to the added tokens.
  public var isAttended: Bool

  public init(token: Int32, length: Int, isAttended: Bool) {
    self.token = token
    self.length = length
    self.isAttended = isAttended
  }
}

/// How a text of one type is read where `colbert` is asked for.
public struct ColBERTInput: Hashable, Sendable {
  /// Put before the text, and may be empty; nil: what other keys of the folder have.
  public var prompt: String?
  /// The most tokens of the text, special ones included, where the request names no limit.
  public var maxTokens: Int
  public var expansion: QueryExpansion?
  public var scored: ScoredTokens

  public init(
    prompt: String?, maxTokens: Int, expansion: QueryExpansion?, scored: ScoredTokens
  ) {
    self.prompt = prompt
    self.maxTokens = maxTokens
    self.expansion = expansion
    self.scored = scored
  }
}

/// The tokens that are scored: `colbert` has their vectors, and zeros for others and for padding.
public struct ScoredTokens: Hashable, Sendable {
  /// Not scored: punctuation of documents, usually.
  public var skipped: Set<Int32>
  /// The only ones that are scored; nil: all.
  public var kept: Set<Int32>?
  /// Scored although it is not attended to.
  public var expansion: Int32?
  /// Whether the first token is not scored.
  public var skipsFirst: Bool

  public init(
    skipped: Set<Int32> = [], kept: Set<Int32>? = nil, expansion: Int32? = nil,
    skipsFirst: Bool = false
  ) {
    self.skipped = skipped
    self.kept = kept
    self.expansion = expansion
    self.skipsFirst = skipsFirst
  }

  public func contains(_ id: Int32, at row: Int, isAttended: Bool) -> Bool {
    guard isAttended || id == expansion, row > 0 || !skipsFirst else { return false }
    return !skipped.contains(id) && kept?.contains(id) ?? true
  }
}
