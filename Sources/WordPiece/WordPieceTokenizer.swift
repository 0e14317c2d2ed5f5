import OutputMap

/// Text to tokens as Hugging Face's `tokenizers` 0.23 does it for BERT, token by token and offset
/// by offset.
///
/// Special tokens that the text names (`[MASK]`) are recognised; the rest is cleaned, split at
/// CJK ideographs, decomposed and stripped of accents, lower-cased (each as the options say),
/// split at white space and punctuation, and each word cut into the longest tokens there are
/// from left to right. A word that cannot be, or that has over 100 characters, is `[UNK]`.
///
/// Complexity: O(n) for n bytes of text, whatever it holds (but O(m log m) in a run of m combining
/// marks that are kept).
public struct WordPieceTokenizer: Sendable {
  public let vocabulary: Vocabulary
  public let options: WordPieceOptions

  let characters: CharacterTable
  /// What the fast path makes of each byte: the byte of the normalised text for the part of a
  /// word, or an `ASCIIKind`.
  let ascii: [UInt8]
  /// The token of each ASCII character that is a word of its own.
  let isolatedIDs: [Int32]
  /// Tokens that text may name, with their spelling.
  let namedTokens: [(id: Int32, spelling: [UInt8])]

  /// Bytes that no word has in its normalised text, as far as the fast path knows words.
  enum ASCIIKind {
    /// Not for the fast path: beyond ASCII, removed, or one of these four bytes itself.
    static let other: UInt8 = 0
    static let space: UInt8 = 1
    static let isolated: UInt8 = 2
    static let last: UInt8 = 3
  }

  public init(vocabulary: Vocabulary, options: WordPieceOptions = WordPieceOptions()) {
    self.vocabulary = vocabulary
    self.options = options
    let characters = CharacterTable(huggingFace: options)
    self.characters = characters
    ascii = (0...UInt8.max).map { byte in
      guard byte < 0x80 else { return ASCIIKind.other }
      let entry = characters[UInt32(byte)]
      switch entry.kind {
      case .space: return ASCIIKind.space
      case .isolated: return ASCIIKind.isolated
      case .word where byte > ASCIIKind.last:
        return entry.output == .scalar ? UInt8(entry.value) : byte
      default: return ASCIIKind.other
      }
    }
    isolatedIDs = (0..<0x80).map { (byte: UInt8) in
      vocabulary.id(of: String(UnicodeScalar(byte))) ?? vocabulary.unknown
    }
    namedTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].compactMap { name in
      vocabulary.id(of: name).map { ($0, Array(name.utf8)) }
    }
  }

  /// The tokens of one text, special ones included.
  ///
  /// - Parameters:
  ///   - maxTokens: the most tokens of the answer, special ones included: at least 2, 3 for pairs.
  ///   - truncation: what becomes of a longer text. Of a pair, the longer text is cut first, and
  ///     if that is not enough both get half of the room (`longest_first` in `tokenizers`).
  ///   - length: fill the answer up to that many positions with `[PAD]`, type 0; a longer answer
  ///     stays as it is.
  ///   - withSources: whether to find out where each token comes from.
  public func tokenize(
    _ input: TokenizerInput, maxTokens: Int, truncation: Truncation = .right,
    padTo length: Int? = nil, withSources: Bool = false
  ) throws(TokenizerError) -> Tokenization {
    let isPair = if case .pair = input { true } else { false }
    let frameCount = isPair ? 3 : 2
    guard maxTokens >= frameCount else {
      throw .limitTooSmall(limit: maxTokens, least: frameCount)
    }
    let room = maxTokens - frameCount
    let keep: TokenRun.Keep =
      switch truncation {
      case .left: .last
      // The rest of a pair matters: which text is the longer one decides how both are cut.
      case .right: .first(stops: !isPair)
      case .error: .first(stops: false)
      }
    var first = TokenRun(limit: room, keep: keep, hasSources: withSources)
    var second: TokenRun?
    switch input {
    case .single(let text):
      appendTokens(of: text, to: &first)
    case .pair(let text, let other):
      appendTokens(of: text, to: &first)
      var run = TokenRun(limit: room, keep: keep, hasSources: withSources)
      run.part = 1
      appendTokens(of: other, to: &run)
      second = run
    case .words(let words):
      for (index, word) in words.enumerated() where !first.isComplete {
        first.part = index
        appendTokens(of: word, to: &first)
      }
    }
    let total = first.totalCount + (second?.totalCount ?? 0)
    if total > room {
      guard truncation != .error else {
        throw .tooLong(count: total + frameCount, limit: maxTokens)
      }
      let counts = Self.truncatedCounts(first.totalCount, second?.totalCount, room: room)
      first.truncate(to: counts.first)
      second?.truncate(to: counts.second)
    }
    return frame(first, second, padTo: length, truncated: total > room)
  }

  /// How many tokens of each text are kept when both have more than `room`.
  private static func truncatedCounts(
    _ first: Int, _ second: Int?, room: Int
  ) -> (first: Int, second: Int) {
    guard let second else { return (room, 0) }
    let shorter = min(first, second)
    var counts = (shorter: shorter, longer: room - shorter)
    if counts.longer < shorter { counts = (room / 2, room - room / 2) }
    return first > second ? (counts.longer, counts.shorter) : (counts.shorter, counts.longer)
  }

  private func frame(
    _ first: TokenRun, _ second: TokenRun?, padTo length: Int?, truncated: Bool
  ) -> Tokenization {
    let firstCount = first.ids.count + 2
    let secondCount = second.map { $0.ids.count + 1 } ?? 0
    let count = firstCount + secondCount
    let paddingCount = max(0, (length ?? 0) - count)

    var ids: [Int32] = []
    ids.reserveCapacity(count + paddingCount)
    ids.append(vocabulary.classification)
    ids += first.ids
    ids.append(vocabulary.separator)
    if let second {
      ids += second.ids
      ids.append(vocabulary.separator)
    }
    ids += repeatElement(vocabulary.padding, count: paddingCount)
    var types = [Int32](repeating: 0, count: ids.count)
    for index in firstCount..<count { types[index] = 1 }

    var sources: [TokenSource?] = []
    if first.hasSources {
      sources = [nil] + first.sources + [nil]
      if let second { sources += second.sources + [nil] }
      sources += repeatElement(nil, count: paddingCount)
    }
    return Tokenization(
      sequence: TokenSequence(ids: ids, typeIDs: types, attendedCount: count),
      sources: sources, truncated: truncated)
  }
}
