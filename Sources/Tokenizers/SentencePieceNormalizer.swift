/// What SentencePiece's normaliser makes of a text: its map of characters, white space in a row as one
/// U+2581, one more before the text.
///
/// Source: sentencepiece `normalizer.cc`, with the usual options of its `NormalizerSpec`.
struct SentencePieceNormalizer: Sendable {
  private let map: PrecompiledMap?
  /// User-defined pieces, which the map leaves alone.
  private let kept: TokenTrie
  /// Scalars that depend on those before them, or change what white space there is: next to them no text
  /// is cut in parts.
  let patterns: Set<UInt32>

  private static let space: UInt32 = 0x20
  private static let mark: UInt32 = 0x2581

  /// - Parameters:
  ///   - characterMap: `precompiled_charsmap`; empty if there is none.
  ///   - pieces: the user-defined ones, and where each lies in these bytes.
  init(
    characterMap: [UInt8], kept pieces: (bytes: [UInt8], places: [Range<Int>])
  ) throws(TokenizerFileError) {
    kept = try TokenTrie(bytes: pieces.bytes, tokens: pieces.places)
    var patterns: Set<UInt32> = []
    func add(_ key: some Collection<UInt8>, isWhole: Bool = false) {
      let scalars = String(decoding: key, as: UTF8.self).unicodeScalars.map(\.value)
      let isSpaced = isWhole || scalars.contains(Self.space)
      patterns.formUnion(isSpaced ? scalars[...] : scalars.dropFirst())
    }
    for place in pieces.places { add(pieces.bytes[place]) }
    if characterMap.isEmpty {
      map = nil
    } else {
      map = PrecompiledMap(characterMap)
      let areShort = map?.forEachKey { key, text in
        add(key, isWhole: text.isEmpty || text.contains(Self.space))
      }
      guard areShort == true else {
        throw .invalid(place: "precompiled_charsmap", reason: "is not a map of characters")
      }
    }
    self.patterns = patterns
  }

  func apply(to text: inout AlignedText, _ part: TextPart) {
    guard let first = text.sources.first else { return }
    let (bytes, scalars) = text.utf8()
    var result = AlignedText()
    result.reserve(text.count + 1)
    if part.isFirst { result.append(Self.mark, first) }
    var isAfterSpace = part.isFirst
    var start = 0
    while start < bytes.count {
      let (end, changed) = unit(of: bytes.span, at: start)
      let index = Int(scalars[start])
      let next = end < bytes.count ? Int(scalars[end]) : text.count
      let source = AlignedText.Source(
        start: text.sources[index].start, end: text.sources[next - 1].end)
      var outputs = changed?[...] ?? text.scalars[index..<next]
      if isAfterSpace { outputs = outputs.drop { $0 == Self.space } }
      for scalar in outputs { result.append(scalar == Self.space ? Self.mark : scalar, source) }
      if let last = outputs.last { isAfterSpace = last == Self.space }
      start = end
    }
    if part.isLast {
      let last = result.scalars.lastIndex { $0 != Self.mark } ?? -1
      result.keep(0..<last + 1)
    }
    text = result
  }

  /// The end of what is normalised as one, and what becomes of it; nil if it stays.
  private func unit(
    of text: borrowing Span<UInt8>, at start: Int
  ) -> (end: Int, changed: [UInt32]?) {
    if let piece = kept.longestToken(in: text, from: start) { return (piece.end, nil) }
    // A key of a map that is broken may end within a character.
    if let key = map?.longestKey(in: text, from: start),
      key.end == text.count || text[key.end] & 0xC0 != 0x80
    {
      return (key.end, key.text)
    }
    return (UTF8Text.scalar(in: text, at: start).end, nil)
  }
}
