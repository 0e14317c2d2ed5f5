/// BERT's normaliser, its pre-tokenizer and WordPiece in one pass over the text's bytes.
///
/// The text is cleaned, split at CJK ideographs, decomposed and stripped of accents, lower-cased
/// (each as the options say), split at white space and punctuation, and each word cut into tokens.
///
/// Complexity: O(n) for n bytes of text, whatever it holds (but O(m log m) in a run of m combining
/// marks that are kept).
struct BERTSplitter: Sendable {
  let model: WordPieceModel
  let characters: CharacterTable
  /// What the fast path makes of each byte: the byte of the normalised text for the part of a
  /// word, or an `ASCIIKind`.
  private let ascii: [UInt8]
  /// The token of each ASCII character that is a word of its own.
  private let isolatedIDs: [Int32]

  /// Bytes that no word has in its normalised text, as far as the fast path knows words.
  private enum ASCIIKind {
    /// Not for the fast path: beyond ASCII, removed, or one of these four bytes itself.
    static let other: UInt8 = 0
    static let space: UInt8 = 1
    static let isolated: UInt8 = 2
    static let last: UInt8 = 3
  }

  init(_ model: WordPieceModel, _ characters: CharacterTable) {
    self.model = model
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
      model.trie.id(of: String(UnicodeScalar(byte))) ?? model.unknown
    }
  }

  /// The tokens of a part of the text.
  func appendTokens(
    of text: borrowing Span<UInt8>, in range: Range<Int>, to run: inout TokenRun
  ) {
    run.reserve(range.count / 4 + 2)
    var word = NormalizedWord(limit: model.limit, hasSources: run.hasSources)
    var index = range.lowerBound
    let end = range.upperBound
    while index < end && !run.isComplete {
      switch ascii[Int(text[index])] {
      case ASCIIKind.space:
        index += 1
      case ASCIIKind.isolated:
        run.append(isolatedIDs[Int(text[index])], index..<index + 1)
        index += 1
      case ASCIIKind.other:
        index = appendNormalized(text, from: index, to: end, &word, to: &run)
      default:
        index = appendASCIIWord(text, from: index, to: end, &word, to: &run)
      }
      run.dropExcess()
    }
  }

  /// The last place in a range where a word ends: before a space that none is before, or before
  /// a character that is a word of its own.
  func lastWordEnd(
    in text: borrowing Span<UInt8>, _ range: Range<Int>, atSpace: Bool
  ) -> Int? {
    let spaces = CharacterClasses.shared.whiteSpace
    var index = range.upperBound
    while index > range.lowerBound {
      index -= 1
      guard index > range.lowerBound, text[index] & 0xC0 != 0x80 else { continue }
      if text[index] == 0x20 {
        if !spaces.contains(UTF8Text.lastScalar(in: text, before: index).scalar) { return index }
      } else if !atSpace,
        characters[UTF8Text.scalar(in: text, at: index).0].kind == .isolated
      {
        return index
      }
    }
    return nil
  }

  /// A word that is ASCII up to its end, straight from the text; nearly all words of English are
  /// that, and most are one token.
  private func appendASCIIWord(
    _ text: borrowing Span<UInt8>, from start: Int, to limit: Int, _ word: inout NormalizedWord,
    to run: inout TokenRun
  ) -> Int {
    let nodes = model.trie.nodes.span
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
      byte = end < limit ? ascii[Int(text[end])] : ASCIIKind.space
    } while byte > ASCIIKind.last
    guard byte != ASCIIKind.other else {
      return appendNormalized(text, from: start, to: limit, &word, to: &run)
    }
    if isToken && model.trie.ids[state] >= 0 && end - start <= model.limit.count {
      run.append(model.trie.ids[state], start..<end)
    } else {
      for index in start..<end {
        word.append(UInt32(ascii[Int(text[index])]), from: index..<index + 1)
      }
      model.append(&word, to: &run)
    }
    return end
  }

  /// Text that needs the character table, up to a place where the fast path can take over: an
  /// ASCII character that ends words.
  private func appendNormalized(
    _ text: borrowing Span<UInt8>, from start: Int, to limit: Int, _ word: inout NormalizedWord,
    to run: inout TokenRun
  ) -> Int {
    var index = start
    /// Where the marks since the last character of combining class 0 begin.
    var marksStart: Int?
    while index < limit && !run.isComplete {
      let kind = ascii[Int(text[index])]
      if kind == ASCIIKind.space || kind == ASCIIKind.isolated { break }
      let (scalar, end) = UTF8Text.scalar(in: text, at: index)
      let entry = characters[scalar]
      switch entry.kind {
      case .word:
        marksStart = nil
        characters.forEachOutput(of: scalar, entry) { word.append($0, from: index..<end) }
      case .isolated:
        marksStart = nil
        model.append(&word, to: &run)
        characters.forEachOutput(of: scalar, entry) { word.append($0, from: index..<end) }
        model.append(&word, to: &run)
      case .space:
        marksStart = nil
        model.append(&word, to: &run)
      case .removed:
        break
      case .strippedMark:
        if marksStart == nil { marksStart = index }
      case .keptMark:
        index = appendMarks(text, from: marksStart ?? index, to: limit, &word)
        marksStart = nil
        continue
      case .composite:
        index = appendMarks(text, from: index, to: limit, &word)
        marksStart = nil
        continue
      case .sequence:
        marksStart = nil
        characters.forEachOutput(of: scalar, entry) { output in
          let kind = characters[output].kind
          if kind == .space || kind == .isolated { model.append(&word, to: &run) }
          if kind != .space { word.append(output, from: index..<end) }
          if kind == .isolated { model.append(&word, to: &run) }
        }
      }
      index = end
    }
    model.append(&word, to: &run)
    return index
  }
}
