extension WordPieceTokenizer {
  func appendTokens(of text: String, to run: inout TokenRun) {
    let bytes = text.utf8.span
    run.reserve(bytes.count / 4 + 2)
    var word = NormalizedWord(hasSources: run.hasSources)
    var index = 0
    while index < bytes.count && !run.isComplete {
      switch ascii[Int(bytes[index])] {
      case ASCIIKind.space:
        index += 1
      case ASCIIKind.isolated:
        index = appendIsolated(bytes, at: index, to: &run)
      case ASCIIKind.other:
        index = appendNormalized(bytes, from: index, &word, to: &run)
      default:
        index = appendASCIIWord(bytes, from: index, &word, to: &run)
      }
      run.dropExcess()
    }
  }

  /// Punctuation, or a special token that begins with it.
  private func appendIsolated(
    _ text: borrowing Span<UInt8>, at index: Int, to run: inout TokenRun
  ) -> Int {
    if text[index] == UInt8(ascii: "[") {
      for token in namedTokens where text.count - index >= token.spelling.count {
        if token.spelling.indices.allSatisfy({ text[index + $0] == token.spelling[$0] }) {
          let end = index + token.spelling.count
          run.append(token.id, index..<end)
          return end
        }
      }
    }
    run.append(isolatedIDs[Int(text[index])], index..<index + 1)
    return index + 1
  }

  /// A word that is ASCII up to its end, straight from the text; nearly all words of English are
  /// that, and most are one token.
  private func appendASCIIWord(
    _ text: borrowing Span<UInt8>, from start: Int, _ word: inout NormalizedWord,
    to run: inout TokenRun
  ) -> Int {
    let nodes = vocabulary.trie.nodes.span
    var state = TokenTrie.wordStart
    var end = start
    var byte = ascii[Int(text[start])]
    var isToken = true
    repeat {
      if isToken {
        let next = Int(nodes[state].base) ^ Int(byte)
        isToken = nodes[next].parent == state
        state = next
      }
      end += 1
      byte = end < text.count ? ascii[Int(text[end])] : ASCIIKind.space
    } while byte > ASCIIKind.last
    guard byte != ASCIIKind.other else {
      return appendNormalized(text, from: start, &word, to: &run)
    }
    if isToken && vocabulary.trie.ids[state] >= 0 && end - start <= NormalizedWord.characterLimit {
      run.append(vocabulary.trie.ids[state], start..<end)
    } else {
      for index in start..<end {
        word.append(UInt32(ascii[Int(text[index])]), from: index..<index + 1)
      }
      appendPieces(&word, to: &run)
    }
    return end
  }

  /// Text that needs the character table, up to a place where the fast path can take over: an
  /// ASCII character that ends words.
  private func appendNormalized(
    _ text: borrowing Span<UInt8>, from start: Int, _ word: inout NormalizedWord,
    to run: inout TokenRun
  ) -> Int {
    var index = start
    /// Where the marks since the last character of combining class 0 begin.
    var marksStart: Int?
    while index < text.count && !run.isComplete {
      let kind = ascii[Int(text[index])]
      if kind == ASCIIKind.space || kind == ASCIIKind.isolated { break }
      let (scalar, end) = Self.scalar(in: text, at: index)
      let entry = characters[scalar]
      switch entry.kind {
      case .word:
        marksStart = nil
        characters.forEachOutput(of: scalar, entry) { word.append($0, from: index..<end) }
      case .isolated:
        marksStart = nil
        appendPieces(&word, to: &run)
        characters.forEachOutput(of: scalar, entry) { word.append($0, from: index..<end) }
        appendPieces(&word, to: &run)
      case .space:
        marksStart = nil
        appendPieces(&word, to: &run)
      case .removed:
        break
      case .strippedMark:
        if marksStart == nil { marksStart = index }
      case .keptMark:
        index = appendMarks(text, from: marksStart ?? index, to: &word)
        marksStart = nil
        continue
      case .composite:
        index = appendMarks(text, from: index, to: &word)
        marksStart = nil
        continue
      }
      index = end
    }
    appendPieces(&word, to: &run)
    return index
  }

  /// The scalar that begins at a byte of valid UTF-8, and the byte after it.
  static func scalar(in text: borrowing Span<UInt8>, at index: Int) -> (UInt32, end: Int) {
    let lead = UInt32(text[index])
    func tail(_ offset: Int) -> UInt32 { UInt32(text[index + offset]) & 0x3F }
    return switch lead {
    case 0..<0x80: (lead, index + 1)
    case 0x80..<0xE0: ((lead & 0x1F) << 6 | tail(1), index + 2)
    case 0xE0..<0xF0: ((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), index + 3)
    default: ((lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), index + 4)
    }
  }

  /// Cuts the word into the longest tokens there are, from left to right, and empties it.
  private func appendPieces(_ word: inout NormalizedWord, to run: inout TokenRun) {
    guard !word.isEmpty else { return }
    defer {
      word.removeAll()
      run.dropExcess()
    }
    guard word.characterCount <= NormalizedWord.characterLimit else {
      run.append(vocabulary.unknown, word.source)
      return
    }
    let count = run.ids.count
    var start = 0
    var root = TokenTrie.wordStart
    while start < word.bytes.count {
      guard let piece = vocabulary.trie.longestToken(in: word.bytes, from: start, below: root)
      else {
        run.rollBack(to: count)
        run.append(vocabulary.unknown, word.source)
        return
      }
      run.append(piece.id, word.source(of: start..<piece.end))
      start = piece.end
      root = TokenTrie.continuation
    }
  }
}
