/// A text in parts: what cannot reach a token of the answer is not read, and what was read is not
/// kept.
extension Tokenizer {
  /// - Parameter start: the beginning of the text, or a place where words end.
  func appendTokens(of text: String, from start: Int = 0, to run: inout TokenRun) {
    let bytes = text.utf8.span
    var part = TextPart(range: start..<start, isFirst: start == 0)
    var word = TextPipeline.OpenWord()
    var start = start
    /// No added token begins before this byte.
    var scan = start
    /// There is no place for a cut before this byte.
    var searched = start
    var size = partSize
    while start < bytes.count || scan < bytes.count, !run.isComplete {
      let end = bytes.count - start > size ? start + size : bytes.count
      let match = addedTokens.firstMatch(in: bytes, from: &scan, spacesFrom: start, before: end)
      var next = match?.range.lowerBound ?? bytes.count
      part.isLast = match != nil || end == bytes.count
      if !part.isLast {
        // The few letters before the end belong to either search.
        let range = max(start, searched - 64)..<end
        guard !part.isFirst || !run.hasSources || !movesPlaces(bytes, from: start),
          let cut = cut(in: bytes, range, atSpace: false)
        else {
          searched = end
          size *= 2
          continue
        }
        part.endsInWord = cut.kind == .inWord
        next = cut.index
      }
      if start < next {
        part.range = start..<next
        run.willRead(next - start, becoming: normalizedSize(of: bytes, part.range))
        guard !run.isComplete else { return }
        switch engine {
        case .bert(let splitter): splitter.appendTokens(of: bytes, in: part.range, to: &run)
        case .steps(let pipeline): pipeline.appendTokens(of: bytes, in: part, &word, to: &run)
        }
      }
      part.isFirst = match != nil
      (part.beginsInWord, part.endsInWord) = (part.endsInWord, false)
      (start, searched, size) = (next, next, partSize)
      guard let match, !run.isComplete else { continue }
      let isFirst = run.ids.isEmpty
      run.append(match.id, place(of: match, in: bytes, isFirst: isFirst))
      run.dropExcess()
      (start, searched) = (match.range.upperBound, match.range.upperBound)
    }
  }

  /// The tokens of the end of a text, more than `room`, or all.
  ///
  /// - Parameter run: one without tokens.
  func lastTokens(of text: String, _ room: Int, _ run: TokenRun) -> TokenRun {
    let bytes = text.utf8.span
    var size = partSize
    while true {
      var start = 0
      if bytes.count > size, !addedTokens.crossWords,
        !run.hasSources || !movesPlaces(bytes, from: 0)
      {
        start = cut(in: bytes, 0..<bytes.count - size, atSpace: true)?.index ?? 0
      }
      var run = run
      appendTokens(of: text, from: start, to: &run)
      if start == 0 || run.isComplete || run.totalCount > room { return run }
      size *= 4
    }
  }

  /// What normalisers make of a part, about: its bytes, or scalars if these are more.
  private func normalizedSize(of text: borrowing Span<UInt8>, _ range: Range<Int>) -> Int {
    // 8 KiB stay little even if each character is U+FDFA, 3 bytes that become 18 scalars.
    guard range.count > partSize, case .steps(let pipeline) = engine else { return range.count }
    return pipeline.normalizedSize(of: text, range)
  }

  private func movesPlaces(_ text: borrowing Span<UInt8>, from start: Int) -> Bool {
    if case .steps(let pipeline) = engine { pipeline.movesPlaces(text, from: start) } else { false }
  }

  /// The last place in a range where the text can be cut.
  private func cut(
    in text: borrowing Span<UInt8>, _ range: Range<Int>, atSpace: Bool
  ) -> TextCuts.Cut? {
    switch engine {
    case .bert(let splitter):
      splitter.lastWordEnd(in: text, range, atSpace: atSpace).map {
        TextCuts.Cut(index: $0, kind: .betweenWords)
      }
    case .steps(let pipeline): pipeline.cuts?.last(in: text, range, atSpace: atSpace)
    }
  }
}
