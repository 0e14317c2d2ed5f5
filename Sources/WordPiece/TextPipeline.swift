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

  /// The tokens of a part of the text.
  func appendTokens(
    of text: borrowing Span<UInt8>, in range: Range<Int>, to run: inout TokenRun
  ) {
    var aligned = AlignedText(text, range)
    for normalizer in normalizers { normalizer.apply(to: &aligned) }
    guard !addedTokens.isEmpty else {
      return appendWords(of: aligned, 0..<aligned.count, text, to: &run)
    }
    let (bytes, scalars) = aligned.utf8()
    /// The scalar at a byte, or the end.
    func index(_ byte: Int) -> Int { byte < bytes.count ? scalars[byte] : aligned.count }
    var start = 0
    while start < bytes.count && !run.isComplete {
      let match = addedTokens.firstMatch(in: bytes.span, from: start)
      let end = match?.range.lowerBound ?? bytes.count
      appendWords(of: aligned, index(start)..<index(end), text, to: &run)
      guard let match, !run.isComplete else { return }
      let range = index(match.range.lowerBound)..<index(match.range.upperBound)
      run.append(match.id, aligned.source(of: range))
      run.dropExcess()
      start = match.range.upperBound
    }
  }

  /// - Parameter source: the text that came in.
  private func appendWords(
    of text: AlignedText, _ range: Range<Int>, _ source: borrowing Span<UInt8>,
    to run: inout TokenRun
  ) {
    var text = text
    var splits = [range]
    for step in preTokenizers { step.apply(to: &text, &splits) }
    switch model {
    case .wordPiece(let model):
      var word = NormalizedWord(limit: model.limit, hasSources: run.hasSources)
      for split in splits where !run.isComplete {
        for index in split {
          word.append(text.scalars[index], from: text.source(of: index..<index + 1))
        }
        model.append(&word, to: &run)
      }
    case .unigram(let model):
      for split in splits where !split.isEmpty && !run.isComplete {
        model.append(text, split, to: &run)
      }
    case .bytePair(let model):
      for split in splits where !run.isComplete {
        var start = split.lowerBound
        for token in model.tokens(of: text.scalars[split]) {
          let range = start..<start + token.count
          var place = text.source(of: range)
          if run.hasSources, let trimming {
            let spaces = OffsetTrimming.spaces(text.scalars[range])
            place = trimming.trim(
              place, leading: spaces.leading, trailing: spaces.trailing, isFirst: run.ids.isEmpty,
              in: source)
          }
          run.append(token.id, place)
          start = range.upperBound
        }
        run.dropExcess()
      }
    }
  }
}
