/// Any normalisers, pre-tokenizers and model, one after the other, each as Hugging Face's
/// `tokenizers` does it.
struct TextPipeline: Sendable {
  enum Model: Sendable {
    case wordPiece(WordPieceModel)
    case unigram(UnigramModel)
    /// Of the scalars of `ByteLevel`.
    case bytePair(BytePairModel)
  }

  let normalizers: [NormalizerStep]
  let preTokenizers: [PreTokenizerStep]
  let model: Model
  /// Those that are sought in the normalised text.
  let addedTokens: AddedTokens
  let trimming: OffsetTrimming?
  private(set) var cuts: TextCuts?

  init(
    normalizers: [NormalizerStep], preTokenizers: [PreTokenizerStep], model: Model,
    addedTokens: AddedTokens, trimming: OffsetTrimming?
  ) {
    self.normalizers = normalizers
    self.preTokenizers = preTokenizers
    self.model = model
    self.addedTokens = addedTokens
    self.trimming = trimming
    cuts = TextCuts(self)
  }

  /// A word that goes on in the next part of the text.
  struct OpenWord {
    fileprivate var pieces: NormalizedWord?
    fileprivate var unigram = UnigramWord()
    fileprivate var bytes = AlignedText()
    /// Whether the run has tokens of its beginning already.
    fileprivate var isBegun = false
  }

  /// The tokens of a part of the text.
  ///
  /// - Parameter word: the one that the part before this one ended in.
  func appendTokens(
    of text: borrowing Span<UInt8>, in part: TextPart, _ word: inout OpenWord,
    to run: inout TokenRun
  ) {
    let aligned = normalized(text, part)
    guard !addedTokens.isEmpty else {
      return appendWords(of: aligned, 0..<aligned.count, part, text, &word, to: &run)
    }
    // Such parts begin and end with whole words.
    let (bytes, scalars) = aligned.utf8()
    /// The scalar at a byte, or the end.
    func index(_ byte: Int) -> Int { byte < bytes.count ? Int(scalars[byte]) : aligned.count }
    var (start, scan) = (0, 0)
    while start < bytes.count || scan < bytes.count, !run.isComplete {
      let match = addedTokens.firstMatch(
        in: bytes.span, from: &scan, spacesFrom: start, before: bytes.count)
      let end = match?.range.lowerBound ?? bytes.count
      // It may begin in white space that the one before took along.
      if start < end {
        appendWords(of: aligned, index(start)..<index(end), part, text, &word, to: &run)
      }
      guard let match, !run.isComplete else { return }
      let range = index(match.range.lowerBound)..<index(match.range.upperBound)
      run.append(match.id, aligned.source(of: range))
      run.dropExcess()
      start = match.range.upperBound
    }
  }

  private func normalized(_ text: borrowing Span<UInt8>, _ part: TextPart) -> AlignedText {
    var aligned = AlignedText(text, part.range)
    for normalizer in normalizers { normalizer.apply(to: &aligned, part) }
    return aligned
  }

  /// What each character of a part becomes alone, added up: the larger of its bytes and scalars; times what
  /// a `Replace` of several characters may add. A map's keys of several characters are not counted.
  func normalizedSize(of text: borrowing Span<UInt8>, _ range: Range<Int>) -> Int {
    var sizes: [UInt32: Int] = [:]
    var sum = 0
    var index = range.lowerBound
    while index < range.upperBound {
      let (scalar, end) = UTF8Text.scalar(in: text, at: index)
      if let size = sizes[scalar] {
        sum += size
      } else {
        let part = TextPart(range: index..<end, isFirst: false, isLast: false)
        let size = max(end - index, normalized(text, part).count)
        sizes[scalar] = size
        sum += size
      }
      index = end
    }
    for case .replace(.text(let text), let content) in normalizers where text.count > 1 {
      // Less than 2^53 for any text.
      sum = min(sum * max(1, (content.count + text.count - 1) / text.count), 1 << 50)
    }
    return sum
  }

  /// What the pre-tokenizers make of a part of a text.
  func words(of text: borrowing Span<UInt8>, _ part: TextPart) -> [[UInt32]] {
    var aligned = normalized(text, part)
    let words = split(&aligned, 0..<aligned.count, part)
    return words.map { Array(aligned.scalars[$0]) }
  }

  private func split(
    _ text: inout AlignedText, _ range: Range<Int>, _ part: TextPart
  ) -> [Range<Int>] {
    var splits = [range]
    for step in preTokenizers { step.apply(to: &text, &splits, part.beginsInWord) }
    return splits.filter { !$0.isEmpty }
  }

  /// - Parameter source: the text that came in.
  private func appendWords(
    of text: AlignedText, _ range: Range<Int>, _ part: TextPart,
    _ source: borrowing Span<UInt8>, _ word: inout OpenWord, to run: inout TokenRun
  ) {
    var text = text
    let splits = split(&text, range, part)
    for (index, split) in splits.enumerated() where !run.isComplete {
      let isOpen = part.endsInWord && index == splits.count - 1
      switch model {
      case .wordPiece(let model):
        var pieces =
          word.pieces.take() ?? NormalizedWord(limit: model.limit, hasSources: run.hasSources)
        for index in split {
          pieces.append(text.scalars[index], from: text.source(of: index..<index + 1))
        }
        if !isOpen { model.append(&pieces, to: &run) }
        word.pieces = pieces
      case .unigram(let model):
        word.unigram.append(text, split, hasSources: run.hasSources)
        model.appendTokens(of: &word.unigram, isOpen: isOpen, to: &run)
      case .bytePair(let model):
        if word.bytes.count == 0, !word.isBegun, !isOpen {
          append(model, text, split, isWhole: true, source, to: &run)
          continue
        }
        let known = word.bytes.count
        word.bytes.append(text, split)
        // The whole may be a token.
        if isOpen, !word.isBegun, word.bytes.count <= model.longestWhole { continue }
        let count =
          isOpen ? model.lastBorder(in: word.bytes.scalars, from: known) : word.bytes.count
        let isWhole = !isOpen && !word.isBegun
        append(model, word.bytes, 0..<count, isWhole: isWhole, source, to: &run)
        word.bytes.keep(count..<word.bytes.count)
        word.isBegun = isOpen && (word.isBegun || count > 0)
      }
    }
  }

  private func append(
    _ id: Int32, _ text: AlignedText, _ range: Range<Int>, _ source: borrowing Span<UInt8>,
    to run: inout TokenRun
  ) {
    var place = text.source(of: range)
    if run.hasSources, let trimming {
      let spaces = OffsetTrimming.spaces(text.scalars[range])
      place = trimming.trim(
        place, leading: spaces.leading, trailing: spaces.trailing, isFirst: run.ids.isEmpty,
        in: source)
    }
    run.append(id, place)
  }

  /// - Parameter isWhole: whether `word` is all of a word, and not a part of one.
  private func append(
    _ model: BytePairModel, _ text: AlignedText, _ word: Range<Int>, isWhole: Bool,
    _ source: borrowing Span<UInt8>, to run: inout TokenRun
  ) {
    var start = word.lowerBound
    if isWhole, let id = model.wholeToken(of: text.scalars[word]) {
      append(id, text, word, source, to: &run)
      return run.dropExcess()
    }
    while start < word.upperBound && !run.isComplete {
      let border = model.border(in: text.scalars, start..<word.upperBound)
      for token in model.tokens(of: text.scalars[start..<border], &run) {
        append(token.id, text, start..<start + token.count, source, to: &run)
        start += token.count
      }
      start = border
      run.dropExcess()
    }
  }

  /// Whether places in the text depend on how it begins: then it is read as one.
  func movesPlaces(_ text: borrowing Span<UInt8>, from start: Int) -> Bool {
    // One character is looked at; what stands behind so many bytes cannot belong to it.
    var end = min(text.count, start + 64)
    while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
    var aligned = AlignedText(text, start..<end)
    for step in normalizers {
      guard case .precompiled(let map) = step else {
        step.apply(to: &aligned, TextPart(range: start..<end))
        continue
      }
      if map.apply(to: &aligned) { return true }
    }
    return false
  }

  /// Scalars that some step looks for.
  var patterns: Set<UInt32> {
    var patterns: Set<UInt32> = []
    for case .replace(.text(let text), _) in normalizers { patterns.formUnion(text) }
    for case .split(let text, _) in preTokenizers { patterns.formUnion(text) }
    for case .sentencePiece(let step) in normalizers { patterns.formUnion(step.patterns) }
    patterns.remove(0x20)
    return patterns
  }

  /// Whether words depend on how many digits or marks stand side by side.
  var countsScalars: Bool {
    preTokenizers.contains { if case .llamaWords = $0 { true } else { false } }
  }

  /// Whether a token that is sought in normalised text could stand across the cut before a space.
  var hasTokensWithSpaces: Bool {
    let text = Array("a a".utf8)
    let space = normalized(text.span, TextPart(range: text.indices)).scalars.dropFirst()
    return addedTokens.tokens.contains { token in
      AlignedText(token.spelling).scalars.dropFirst().contains {
        space.dropLast().contains($0) || CharacterClasses.shared.whiteSpace.contains($0)
      }
    }
  }
}
