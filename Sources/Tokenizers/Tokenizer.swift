import EncoderContract

/// Text to tokens as the library does it that the model comes from, token by token and offset by
/// offset: Hugging Face's `tokenizers` 0.23, or TensorFlow Text 2.15.
///
/// Tokens that the text names (`[MASK]`) are taken out first; the rest is normalised, split into
/// words, and each word cut into tokens by the model.
public struct Tokenizer: Sendable {
  enum Engine: Sendable {
    /// What nearly every BERT model has, in one pass.
    case bert(BERTSplitter)
    /// Any steps, one after the other.
    case steps(TextPipeline)
  }

  /// The steps of transformers' classes, which these make of their options and the vocabulary.
  public enum StandardSteps: Equatable, Sendable {
    /// `BertTokenizer`.
    case bert(BERTOptions)
    /// `RobertaTokenizer`.
    case roberta(addsPrefixSpace: Bool)
    /// `XLMRobertaTokenizer`, `CamembertTokenizer`. Their converters have written other steps for white
    /// space over the years: `isCurrent` is false for those.
    case xlmRoberta(addsPrefixSpace: Bool, isCurrent: Bool)
    /// `AlbertTokenizer`, with the same history.
    case albert(keepsAccents: Bool, lowercases: Bool, addsPrefixSpace: Bool, isCurrent: Bool)
    /// `DebertaV2Tokenizer`, whose normalizers were others before transformers 5.
    case deberta(lowercases: Bool, splitsPunctuation: Bool, addsPrefixSpace: Bool, isCurrent: Bool)
  }

  public let vocabulary: Vocabulary
  /// Its model, for people: "WordPiece".
  public let summary: String
  /// The class of tokenizers that has its steps; nil if none of those that are known.
  public let standardSteps: StandardSteps?
  /// Whether upper and lower case are one to it.
  public let lowercases: Bool
  /// The id that fills a text up.
  public let padding: Int32

  let engine: Engine
  let addedTokens: AddedTokens
  /// By name, all tokens that `tokenizer.json` adds.
  public let addedFlags: [String: AddedTokenFlags]
  /// Left out when decoding.
  let specialIDs: Set<Int32>
  let template: TokenTemplate
  /// Of tokens that the text names; the engine trims its own.
  let trimming: OffsetTrimming?
  /// How a pair is cut: text by text in turn, as TensorFlow does it, else the longer text first.
  let trimsPairsEvenly: Bool
  let decoder: TokenDecoder
  /// Bytes of a text that are read as one, if it can be cut there.
  var partSize = 8 << 10

  /// The highest token type that it gives: the model needs one more.
  public func highestType(ofPairs: Bool) -> Int {
    Int(TokenTemplate.highestType(ofPairs ? template.pair : template.single))
  }

  /// The tokens of one text, special ones included.
  ///
  /// - Parameters:
  ///   - input: a text, a pair or words.
  ///   - maxTokens: the most tokens of the answer, special ones included: at least as many as
  ///     there are of those, 2 for BERT and 3 for its pairs.
  ///   - truncation: what becomes of a longer text. Of a pair, the longer text is cut first, and
  ///     if that is not enough both get half of the room (`longest_first` in `tokenizers`, round
  ///     robin in TensorFlow Text).
  ///   - length: fill the answer up to that many positions with `padding`, type 0; a longer
  ///     answer stays as it is.
  ///   - withSources: whether to find out where each token comes from.
  ///   - mayRead: asked before the first byte and then every few kilobytes, with the bytes of memory
  ///     that what follows takes besides those granted before, 0 for little; once it says no,
  ///     `TokenizerError.cancelled` is thrown.
  public func tokenize(
    _ input: TokenizerInput, maxTokens: Int, truncation: Truncation = .right,
    padTo length: Int? = nil, withSources: Bool = false,
    mayRead: (@Sendable (_ memory: Int) -> Bool)? = nil
  ) throws(TokenizerError) -> Tokenization {
    if case .pair(let text, let other) = input {
      let first = try firstText(
        text, maxTokens: maxTokens, truncation: truncation, withSources: withSources,
        mayRead: mayRead)
      return try tokenize(other, after: first, padTo: length, mayRead: mayRead)
    }
    var first = try run(
      isPair: false, maxTokens: maxTokens, truncation, withSources: withSources, mayRead)
    let room = first.limit
    switch input {
    case .pair: break  // Above.
    case .single(let text) where truncation == .left:
      first = lastTokens(of: text, room, first)
    case .single(let text):
      appendTokens(of: text, to: &first)
    case .words(let words):
      for (index, word) in words.enumerated() where !first.isComplete {
        first.part = index
        appendTokens(of: word, to: &first)
      }
    }
    guard !first.isCancelled else { throw .cancelled }
    let isTooLong = first.totalCount > room
    if isTooLong {
      guard truncation != .error else {
        throw .tooLong(
          count: first.totalCount + TokenTemplate.frameCount(template.single), limit: maxTokens)
      }
      first.truncate(to: room)
    }
    return frame(template.single, [first], padTo: length, truncated: isTooLong)
  }

  // MARK: - Pairs

  /// The first text of pairs, and how they are read.
  public struct FirstText: Sendable {
    fileprivate let run: TokenRun
    fileprivate let maxTokens: Int
    fileprivate let truncation: Truncation
  }

  /// Reads the first text of pairs, once for all of them. The parameters are those of `tokenize`.
  public func firstText(
    _ text: String, maxTokens: Int, truncation: Truncation = .right, withSources: Bool = false,
    mayRead: (@Sendable (_ memory: Int) -> Bool)? = nil
  ) throws(TokenizerError) -> FirstText {
    var run = try run(
      isPair: true, maxTokens: maxTokens, truncation, withSources: withSources, mayRead)
    appendTokens(of: text, to: &run)
    guard !run.isCancelled else { throw .cancelled }
    // Its length still decides how both are cut.
    run.truncate(to: run.limit)
    return FirstText(run: run, maxTokens: maxTokens, truncation: truncation)
  }

  /// The tokens of a pair.
  ///
  /// - Parameters:
  ///   - text: the second one.
  ///   - firstText: the first one.
  ///   - length: as of `tokenize`.
  ///   - mayRead: as of `tokenize`.
  public func tokenize(
    _ text: String, after firstText: FirstText, padTo length: Int? = nil,
    mayRead: (@Sendable (_ memory: Int) -> Bool)? = nil
  ) throws(TokenizerError) -> Tokenization {
    var first = firstText.run
    let room = first.limit
    var second = try run(
      isPair: true, maxTokens: firstText.maxTokens, firstText.truncation,
      withSources: first.hasSources, mayRead)
    second.part = 1
    appendTokens(of: text, to: &second)
    guard !second.isCancelled else { throw .cancelled }
    let total = first.totalCount + second.totalCount
    if total > room {
      guard firstText.truncation != .error else {
        throw .tooLong(
          count: total + TokenTemplate.frameCount(template.pair), limit: firstText.maxTokens)
      }
      let counts = truncatedCounts(first.totalCount, second.totalCount, room: room)
      first.truncate(to: counts.first)
      second.truncate(to: counts.second)
    }
    return frame(template.pair, [first, second], padTo: length, truncated: total > room)
  }

  private func run(
    isPair: Bool, maxTokens: Int, _ truncation: Truncation, withSources: Bool,
    _ mayRead: (@Sendable (Int) -> Bool)?
  ) throws(TokenizerError) -> TokenRun {
    let frameCount = TokenTemplate.frameCount(isPair ? template.pair : template.single)
    guard maxTokens >= frameCount else {
      throw .limitTooSmall(limit: maxTokens, least: frameCount)
    }
    let keep: TokenRun.Keep =
      switch truncation {
      case .left: .last
      // The rest of a pair matters: which text is the longer one decides how both are cut.
      case .right: .first(stops: !isPair)
      case .error: .first(stops: false)
      }
    return TokenRun(
      limit: maxTokens - frameCount, keep: keep, hasSources: withSources, mayRead: mayRead)
  }

  func place(
    of match: AddedTokens.Match, in text: borrowing Span<UInt8>, isFirst: Bool
  ) -> Range<Int> {
    guard let trimming else { return match.range }
    let spaces = OffsetTrimming.spaces(AlignedText(text, match.range).scalars[...])
    return trimming.trim(
      match.range, leading: spaces.leading, trailing: spaces.trailing, isFirst: isFirst, in: text)
  }

  /// How many tokens of each text are kept when both have more than `room`.
  private func truncatedCounts(
    _ first: Int, _ second: Int, room: Int
  ) -> (first: Int, second: Int) {
    // With an odd room TensorFlow gives the first text one more, `tokenizers` the longer one.
    let half = trimsPairsEvenly || first > second ? room - room / 2 : room / 2
    let kept = min(first, max(half, room - second))
    return (kept, room - kept)
  }

  private func frame(
    _ pieces: [TokenTemplate.Piece], _ texts: [TokenRun], padTo length: Int?, truncated: Bool
  ) -> Tokenization {
    let hasSources = texts[0].hasSources
    let capacity = max(length ?? 0, texts.reduce(pieces.count) { $0 + $1.ids.count })
    var ids: [Int32] = []
    var types: [Int32] = []
    var sources: [TokenSource?] = []
    ids.reserveCapacity(capacity)
    types.reserveCapacity(capacity)
    if hasSources { sources.reserveCapacity(capacity) }
    for piece in pieces {
      switch piece {
      case .token(let id, let type):
        ids.append(id)
        types.append(type)
        if hasSources { sources.append(nil) }
      case .text(let index, let type):
        ids += texts[index].ids
        types += repeatElement(type, count: texts[index].ids.count)
        sources += texts[index].sources
      }
    }
    var result = Tokenization(
      sequence: TokenSequence(ids: ids, typeIDs: types), sources: sources, truncated: truncated)
    if let length { result.pad(to: length, with: padding) }
    return result
  }
}

extension Tokenizer {
  /// Whether tokens that continue a word have a prefix that says so, as WordPiece's "##".
  public var hasContinuationPrefix: Bool { wordPiece != nil }

  /// The id of the unknown token; nil if every text can be made of the vocabulary.
  public var unknownID: Int32? {
    if let wordPiece { return wordPiece.unknown }
    if case .steps(let steps) = engine, case .unigram(let model) = steps.model {
      return model.unknown
    }
    return nil
  }

  private var wordPiece: WordPieceModel? {
    switch engine {
    case .bert(let splitter): return splitter.model
    case .steps(let steps):
      if case .wordPiece(let model) = steps.model { return model }
      return nil
    }
  }

  /// Tokens, or words, put together to text by the folder's decoder.
  public func text(of tokens: [String]) -> String { decoder.text(of: tokens) }

  /// Text that the tokens could come from, as the folder's decoder writes it.
  ///
  /// - Parameters:
  ///   - ids: those that the vocabulary does not have are left out.
  ///   - skipSpecialTokens: leave `[CLS]` and its like out.
  public func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool = true) -> String {
    let skipped = skipSpecialTokens ? specialIDs : []
    return decoder.text(
      of: ids.lazy.filter { !skipped.contains($0) }.compactMap(vocabulary.token))
  }
}
