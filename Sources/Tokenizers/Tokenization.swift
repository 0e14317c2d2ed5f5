public import EncoderContract

/// What is to be tokenised.
public enum TokenizerInput: Equatable, Sendable {
  /// `[CLS] text [SEP]`.
  case single(String)
  /// `[CLS] first [SEP] second [SEP]`, the second text and its separator of type 1.
  case pair(String, String)
  /// One text, already cut into words: a word's pieces are its own, and white space and
  /// punctuation within a word split it further.
  case words([String])
}

extension TokenizerInput {
  /// The text with a prompt before it; nil for pairs and words, which have no such place.
  public func prompted(_ prompt: String?) -> TokenizerInput? {
    guard let prompt else { return self }
    guard case .single(let text) = self else { return nil }
    return .single(prompt + text)
  }
}

/// What becomes of a text with more tokens than allowed.
public enum Truncation: Sendable {
  /// Its first tokens are kept.
  case right
  /// Its last tokens are kept.
  case left
  /// It is refused.
  case error
}

/// Where a token comes from.
public struct TokenSource: Equatable, Sendable {
  /// Which text of a pair (0 or 1), or which word of a list; 0 for a single text.
  public var part: Int
  /// UTF-8 bytes of that text or word.
  public var bytes: Range<Int>

  public init(part: Int, bytes: Range<Int>) {
    self.part = part
    self.bytes = bytes
  }
}

/// A text as tokens.
public struct Tokenization: Equatable, Sendable {
  /// What the encoder reads.
  public var sequence: TokenSequence
  /// Where each token of `sequence` comes from: nil for `[CLS]`, `[SEP]` and `[PAD]` that the
  /// text does not name. Empty unless asked for.
  public var sources: [TokenSource?]
  /// Whether tokens were dropped to keep to the limit.
  public var truncated: Bool

  public init(sequence: TokenSequence, sources: [TokenSource?] = [], truncated: Bool = false) {
    self.sequence = sequence
    self.sources = sources
    self.truncated = truncated
  }

  /// Adds a query's expansion.
  ///
  /// - Parameters:
  ///   - expansion: the tokens to add.
  ///   - length: most tokens of the result; nil: no limit.
  public mutating func expand(_ expansion: QueryExpansion, upTo length: Int?) {
    pad(to: min(expansion.length, length ?? .max), with: expansion.token)
    if expansion.isAttended { sequence.attendedCount = sequence.count }
  }

  /// Adds tokens of type 0 that are not attended to; a text that is as long already stays as it is.
  ///
  /// - Parameters:
  ///   - length: tokens of the result.
  ///   - token: the id of each that is added.
  public mutating func pad(to length: Int, with token: Int32) {
    let count = max(0, length - sequence.count)
    sequence.ids += repeatElement(token, count: count)
    sequence.typeIDs += repeatElement(0, count: count)
    if !sources.isEmpty { sources += repeatElement(nil, count: count) }
  }
}
