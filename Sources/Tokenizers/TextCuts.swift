/// Where a long text can be cut in parts that a `TextPipeline` reads one after the other, and gives
/// the same tokens as of the whole.
///
/// Between two letters of one script no normaliser looks across, and a word goes on; before a
/// single space between two letters a word ends. What the steps of a pipeline make of either is
/// tried once, when it is made: where parts and the whole differ, there is no cut.
struct TextCuts: Sendable {
  /// What a cut is to the word before it.
  enum Kind: Sendable, Equatable {
    /// The word goes on after the cut.
    case inWord
    /// The word ends at the cut.
    case betweenWords
  }

  struct Cut: Equatable {
    var index: Int
    var kind: Kind
  }

  /// Scalars of one kind: starters that no neighbour of the same group combines with, and that
  /// pre-tokenizers see as one class.
  private static let groups: [[ClosedRange<UInt32>]] = [
    [0x41...0x5A, 0x61...0x7A],
    [0x30...0x39],
    // Without the apostrophe, which begins a contraction.
    [0x21...0x26, 0x28...0x2F, 0x3A...0x40, 0x5B...0x5E, 0x60...0x60, 0x7B...0x7E],
    [0xC0...0xD6, 0xD8...0xF6, 0xF8...0x24F, 0x1E00...0x1EFF],
    // Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic.
    [0x391...0x3A1, 0x3A3...0x3CE],
    [0x410...0x44F],
    [0x531...0x556, 0x561...0x586],
    [0x10D0...0x10F0],
    [0x5D0...0x5EA],
    [0x621...0x63A, 0x641...0x64A],
    // Ethiopic; consonants of Devanagari, Bengali, Gurmukhi, Gujarati, Tamil, Telugu, Kannada,
    // Malayalam, Khmer and Thai.
    [0x1200...0x1248],
    [0x915...0x939],
    [0x995...0x9A8, 0x9AA...0x9B0, 0x9B2...0x9B2, 0x9B6...0x9B9],
    [0xA15...0xA28, 0xA2A...0xA30, 0xA32...0xA32, 0xA35...0xA35, 0xA38...0xA39],
    [0xA95...0xAA8, 0xAAA...0xAB0, 0xAB2...0xAB3, 0xAB5...0xAB9],
    [0xB95...0xB95, 0xB99...0xB9A, 0xB9E...0xB9F, 0xBA3...0xBA4, 0xBA8...0xBAA, 0xBAE...0xBB9],
    [0xC15...0xC28, 0xC2A...0xC39],
    [0xC95...0xCA8, 0xCAA...0xCB3, 0xCB5...0xCB9],
    [0xD15...0xD39],
    [0x1780...0x17A2],
    [0xE01...0xE30],
    // Hiragana, Katakana, ideographs, their commas and full stops, Hangul.
    [0x3041...0x3096],
    [0x30A1...0x30FA],
    [0x4E00...0x9FFF],
    [0x3001...0x3002],
    [0xAC00...0xD7A3],
    [0x1F600...0x1F64F],
  ]
  /// A contraction, 's or 'll, is over before the last of so many letters of the first group.
  private static let runLength = 4

  /// By group: what a cut between two of its letters is, and one before a space between two; nil
  /// where there is none.
  private var kinds = [Kind?](repeating: nil, count: groups.count)
  private var spaceKinds = [Kind?](repeating: nil, count: groups.count)

  init?(_ pipeline: TextPipeline) {
    let tokens = pipeline.addedTokens
    guard !tokens.tokens.contains(where: \.stripsRight) else { return nil }
    let patterns = pipeline.patterns
    for (index, ranges) in Self.groups.enumerated() {
      let isSought = patterns.contains { scalar in ranges.contains { $0.contains(scalar) } }
      guard !isSought else { continue }
      let letter = ranges[0].lowerBound
      let isLetter = CharacterClasses.shared.letter.contains(letter)
      guard isLetter || !pipeline.countsScalars else { continue }
      spaceKinds[index] = Self.kind(letter, 0x20, pipeline)
      kinds[index] = Self.kind(letter, letter, pipeline)
      // A token that is sought in normalised text may stand across any cut but one at a space, and
      // that too if it holds one.
      guard !tokens.isEmpty else { continue }
      kinds[index] = nil
      if spaceKinds[index] == .inWord || pipeline.hasTokensWithSpaces { spaceKinds[index] = nil }
    }
    guard (kinds + spaceKinds).contains(where: { $0 != nil }) else { return nil }
  }

  /// - Parameter next: a scalar that a letter follows.
  private static func kind(
    _ letter: UInt32, _ next: UInt32, _ pipeline: TextPipeline
  ) -> Kind? {
    var text: [UInt8] = []
    for _ in 0..<runLength { UTF8Text.append(letter, to: &text) }
    let cut = text.count
    UTF8Text.append(next, to: &text)
    for _ in 0..<runLength { UTF8Text.append(letter, to: &text) }
    func words(_ part: TextPart) -> [[UInt32]] { pipeline.words(of: text.span, part) }
    let whole = words(TextPart(range: text.indices))
    for kind in [Kind.inWord, .betweenWords] {
      let isInWord = kind == .inWord
      var first = words(TextPart(range: 0..<cut, isLast: false, endsInWord: isInWord))
      var second = words(
        TextPart(range: cut..<text.count, isFirst: false, beginsInWord: isInWord))
      if isInWord {
        guard let last = first.popLast(), let next = second.first else { continue }
        second[0] = last + next
      }
      if first + second == whole { return kind }
    }
    return nil
  }

  private static func group(_ scalar: UInt32) -> Int? {
    groups.firstIndex { $0.contains { $0.contains(scalar) } }
  }

  /// The last place for a cut in a part of the text, neither its start nor its end.
  ///
  /// - Parameter atSpace: whether only the end of a word before a space will do.
  func last(
    in text: borrowing Span<UInt8>, _ range: Range<Int>, atSpace: Bool
  ) -> Cut? {
    var index = range.upperBound
    while index > range.lowerBound, index < text.count, text[index] & 0xC0 == 0x80 { index -= 1 }
    // What stands from `index` on: letters of a group, perhaps a space before them.
    var group: Int?
    var starts: [Int] = []
    var space: Int?
    while index > range.lowerBound {
      let (scalar, start) = UTF8Text.lastScalar(in: text, before: index)
      guard start > range.lowerBound else { return nil }
      index = start
      if scalar == 0x20, group != nil, space == nil {
        space = start
        continue
      }
      let next = Self.group(scalar)
      if let cut = space, let next, next == group, let kind = spaceKinds[next],
        !atSpace || kind == .betweenWords
      {
        return Cut(index: cut, kind: kind)
      }
      if space != nil || next != group { starts = [] }
      (group, space) = (next, nil)
      if next != nil { starts.append(start) }
      guard starts.count == (group == 0 ? Self.runLength : 2) else { continue }
      let cut = starts.removeFirst()
      if !atSpace, let next, let kind = kinds[next] { return Cut(index: cut, kind: kind) }
    }
    return nil
  }
}

/// A part of a text that is read as one.
struct TextPart: Equatable {
  var range: Range<Int>
  /// Whether it is the beginning of what is read, and the end.
  var isFirst = true
  var isLast = true
  /// Whether its first word began in the part before it, and its last one goes on in the next.
  var beginsInWord = false
  var endsInWord = false
}
