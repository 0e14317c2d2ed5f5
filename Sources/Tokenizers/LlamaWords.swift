/// The words that Llama 3's tokenizer cuts a text into, by a regular expression, before it looks at
/// their bytes.
enum LlamaWords {
  static let expression =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"#
    + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// Where the word that begins at an index ends.
  static func wordEnd(_ scalars: [UInt32], _ start: Int, _ end: Int) -> Int {
    typealias Kind = ByteLevel.Kind
    func isLineEnd(_ index: Int) -> Bool { scalars[index] == 0x0A || scalars[index] == 0x0D }
    if scalars[start] == 0x27,
      let end = ByteLevel.contractionEnd(scalars, start + 1, end, folded)
    {
      return end
    }
    let kind = Kind(scalars[start])
    let isJoined = kind != .letter && kind != .number && !isLineEnd(start)
    let letter = isJoined ? start + 1 : start
    if letter < end, Kind(scalars[letter]) == .letter {
      return ByteLevel.runEnd(scalars, letter, end, .letter)
    }
    if kind == .number { return ByteLevel.runEnd(scalars, start, min(end, start + 3), .number) }
    let other = scalars[start] == 0x20 ? start + 1 : start
    if other < end, Kind(scalars[other]) == .other {
      var index = ByteLevel.runEnd(scalars, other, end, .other)
      while index < end, isLineEnd(index) { index += 1 }
      return index
    }
    // White space up to its last line end; without one, up to the last of it, which goes with the word
    // that follows.
    let spaceEnd = ByteLevel.runEnd(scalars, start, end, .space)
    if let last = (start..<spaceEnd).last(where: isLineEnd) { return last + 1 }
    return spaceEnd < end && spaceEnd > start + 1 ? spaceEnd - 1 : spaceEnd
  }

  /// As `(?i:` compares the letters of contractions: ſ is an s.
  private static func folded(_ scalar: UInt32) -> UInt32 {
    switch scalar {
    case 0x41...0x5A: scalar + 0x20
    case 0x17F: 0x73
    default: scalar
    }
  }
}
