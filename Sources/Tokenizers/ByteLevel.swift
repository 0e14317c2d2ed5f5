/// GPT-2's bytes as characters: each byte of a text stands for one printable scalar, so that a
/// vocabulary of text can hold any bytes.
///
/// Source: `bytes_to_unicode` of GPT-2's encoder.py; `ByteLevel` of Hugging Face's `tokenizers`.
enum ByteLevel {
  /// By byte.
  static let scalars: [UInt32] = {
    var next: UInt32 = 256
    return (0...255 as ClosedRange<UInt32>).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  private static let bytes = Dictionary(
    uniqueKeysWithValues: scalars.enumerated().map { ($0.element, UInt8($0.offset)) })

  static let space = scalars[0x20]

  /// The bytes that a token stands for; its own UTF-8 if it is not of this alphabet.
  static func bytes(of token: String) -> [UInt8] {
    var result: [UInt8] = []
    for scalar in token.unicodeScalars {
      guard let byte = bytes[scalar.value] else { return Array(token.utf8) }
      result.append(byte)
    }
    return result
  }

  /// Where the word that begins at an index ends:
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
  static func wordEnd(_ scalars: [UInt32], _ start: Int, _ end: Int) -> Int {
    if scalars[start] == 0x27, let end = contractionEnd(scalars, start + 1, end) { return end }
    let first = scalars[start] == 0x20 && start + 1 < end ? start + 1 : start
    let kind = Kind(scalars[first])
    guard kind == .space else { return runEnd(scalars, first, end, kind) }
    // White space up to the last of it, which goes with the word that follows.
    let spaceEnd = runEnd(scalars, start, end, .space)
    return spaceEnd < end && spaceEnd > start + 1 ? spaceEnd - 1 : spaceEnd
  }

  enum Kind {
    case letter, number, space, other

    init(_ scalar: UInt32) {
      let classes = CharacterClasses.shared
      self =
        classes.letter.contains(scalar)
        ? .letter
        : classes.number.contains(scalar)
          ? .number : classes.whiteSpace.contains(scalar) ? .space : .other
    }
  }

  static func runEnd(_ scalars: [UInt32], _ start: Int, _ end: Int, _ kind: Kind) -> Int {
    var index = start
    while index < end, Kind(scalars[index]) == kind { index += 1 }
    return index
  }

  /// - Parameters:
  ///   - start: after the apostrophe.
  ///   - fold: of a scalar, before it is compared.
  static func contractionEnd(
    _ scalars: [UInt32], _ start: Int, _ end: Int, _ fold: (UInt32) -> UInt32 = { $0 }
  ) -> Int? {
    for ending in ["s", "t", "re", "ve", "m", "ll", "d"] {
      let stop = start + ending.utf8.count
      if stop <= end,
        scalars[start..<stop].map(fold).elementsEqual(ending.unicodeScalars.map(\.value))
      {
        return stop
      }
    }
    return nil
  }
}
