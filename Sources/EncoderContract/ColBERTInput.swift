/// What a text is in a search.
public enum InputType: String, CaseIterable, Sendable { case query, document }

/// Tokens that are added to a query: their vectors are scored as its own are.
///
/// Source: ColBERT (Khattab and Zaharia, 2020), and sentence-transformers' `query_expansion`.
public struct QueryExpansion: Hashable, Sendable {
  /// `[MASK]`, usually.
  public var token: Int32
  /// Tokens of a query, special ones included, that it is filled up to.
  public var length: Int
  /// Whether other tokens attend to those that are added.
  public var isAttended: Bool

  public init(token: Int32, length: Int, isAttended: Bool) {
    self.token = token
    self.length = length
    self.isAttended = isAttended
  }
}

/// How a text of one type is read where `colbert` is asked for.
public struct ColBERTInput: Hashable, Sendable {
  /// Put before the text; may be empty.
  public var prompt: String
  /// The most tokens of the text, special ones included, where the request names no limit.
  public var maxTokens: Int
  public var expansion: QueryExpansion?
  public var scored: ScoredTokens

  public init(
    prompt: String, maxTokens: Int, expansion: QueryExpansion?, scored: ScoredTokens
  ) {
    self.prompt = prompt
    self.maxTokens = maxTokens
    self.expansion = expansion
    self.scored = scored
  }
}

/// The tokens whose vectors `colbert` has. Those of others, and of padding, are zeros.
public struct ScoredTokens: Hashable, Sendable {
  /// Left out: punctuation of documents, usually.
  public var skipped: Set<Int32>
  /// The only ones that count; nil: all.
  public var kept: Set<Int32>?
  /// Counts although nothing attends to it.
  public var expansion: Int32?
  /// Whether the first token is left out.
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
