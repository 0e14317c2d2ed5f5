/// Tokens that a text may name as they are written, `[MASK]`, before anything else is done to it.
///
/// Of those that begin at one place the longest counts, and what one has taken is not looked at
/// again: Hugging Face's `AddedVocabulary`.
struct AddedTokens: Sendable {
  struct Token: Sendable, Equatable {
    var id: Int32
    var spelling: [UInt8]
    /// Only where no word character touches it.
    var singleWord = false
    /// Takes the white space before it along.
    var stripsLeft = false
    var stripsRight = false
    /// Sought in the normalised text, itself normalised.
    var isNormalized = false
    /// Left out when decoding.
    var isSpecial = true
  }

  struct Match {
    var id: Int32
    /// With the white space that it takes along.
    var range: Range<Int>
  }

  let tokens: [Token]
  private let trie: TokenTrie
  /// Whether a token may hold or take along the white space that parts two words.
  let crossWords: Bool
  /// By byte: whether a token begins with it.
  private let isFirst: [Bool]

  init(_ tokens: [Token]) throws(TokenizerFileError) {
    self.tokens = tokens
    var bytes: [UInt8] = []
    var places: [Range<Int>] = []
    var isFirst = [Bool](repeating: false, count: 256)
    for token in tokens {
      places.append(bytes.count..<bytes.count + token.spelling.count)
      bytes += token.spelling
      if let first = token.spelling.first { isFirst[Int(first)] = true }
    }
    trie = try TokenTrie(bytes: bytes, tokens: places)
    self.isFirst = isFirst
    crossWords = tokens.contains { token in
      token.stripsRight
        || AlignedText(token.spelling).scalars.contains(
          where: CharacterClasses.shared.whiteSpace.contains)
    }
  }

  var isEmpty: Bool { tokens.isEmpty }

  /// The first token that begins in `text` before a byte.
  ///
  /// As in `tokenizers`, it may begin in white space that the token before it took along.
  ///
  /// - Parameters:
  ///   - scan: where the search begins, and where the next one does: after the token itself.
  ///   - start: the end of the token before this one, with the white space that it took along.
  func firstMatch(
    in text: borrowing Span<UInt8>, from scan: inout Int, spacesFrom start: Int, before end: Int
  ) -> Match? {
    guard !tokens.isEmpty else {
      scan = max(scan, end)
      return nil
    }
    while scan < end {
      guard isFirst[Int(text[scan])], let found = trie.longestToken(in: text, from: scan) else {
        scan += 1
        continue
      }
      let token = tokens[Int(found.id)]
      let range = scan..<found.end
      scan = found.end
      if token.singleWord, Self.isWord(text, before: range.lowerBound, after: range.upperBound) {
        continue
      }
      let first = token.stripsLeft ? Self.spaceStart(text, range, start) : range.lowerBound
      let end = token.stripsRight ? Self.spaceEnd(text, range) : range.upperBound
      // The token before it took all of it along: `tokenizers` drops such a one later.
      guard first < end else { continue }
      return Match(id: token.id, range: first..<end)
    }
    return nil
  }

  private static func isWord(
    _ text: borrowing Span<UInt8>, before start: Int, after end: Int
  ) -> Bool {
    let classes = CharacterClasses.shared
    if start > 0, classes.word.contains(UTF8Text.lastScalar(in: text, before: start).scalar) {
      return true
    }
    return end < text.count && classes.word.contains(UTF8Text.scalar(in: text, at: end).0)
  }

  private static func spaceStart(
    _ text: borrowing Span<UInt8>, _ range: Range<Int>, _ limit: Int
  ) -> Int {
    var start = range.lowerBound
    while start > limit {
      let last = UTF8Text.lastScalar(in: text, before: start)
      guard CharacterClasses.shared.whiteSpace.contains(last.scalar) else { break }
      start = last.start
    }
    return max(start, limit)
  }

  private static func spaceEnd(_ text: borrowing Span<UInt8>, _ range: Range<Int>) -> Int {
    var end = range.upperBound
    while end < text.count {
      let (scalar, next) = UTF8Text.scalar(in: text, at: end)
      guard CharacterClasses.shared.whiteSpace.contains(scalar) else { break }
      end = next
    }
    return end
  }
}
