/// The word that is being put together from normalised text, and where each byte comes from.
struct NormalizedWord {
  /// A word with more characters (scalars) is unknown, whatever it holds.
  static let characterLimit = 100

  /// UTF-8, of the first 100 characters.
  private(set) var bytes: [UInt8] = []
  /// The part of the text that each byte stands for, if `hasSources`.
  private var sources: [Range<Int>] = []
  private(set) var characterCount = 0
  private var lastSource = 0..<0
  private let hasSources: Bool

  init(hasSources: Bool) { self.hasSources = hasSources }

  var isEmpty: Bool { characterCount == 0 }

  /// The part of the text that a range of bytes stands for.
  func source(of range: Range<Int>) -> Range<Int> {
    sources[range.lowerBound].lowerBound..<sources[range.upperBound - 1].upperBound
  }

  /// The part of the text that the word stands for, characters over the limit included.
  var source: Range<Int> { sources[0].lowerBound..<lastSource.upperBound }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    sources.removeAll(keepingCapacity: true)
    characterCount = 0
  }

  @inline(__always)
  mutating func append(_ scalar: UInt32, from source: Range<Int>) {
    lastSource = source
    characterCount += 1
    guard characterCount <= Self.characterLimit else { return }
    let count = bytes.count
    switch scalar {
    case 0..<0x80:
      bytes.append(UInt8(scalar))
    case 0x80..<0x800:
      bytes.append(UInt8(0xC0 | scalar >> 6))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    case 0x800..<0x1_0000:
      bytes.append(UInt8(0xE0 | scalar >> 12))
      bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    default:
      bytes.append(UInt8(0xF0 | scalar >> 18 & 0x07))
      bytes.append(UInt8(0x80 | scalar >> 12 & 0x3F))
      bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    }
    if hasSources {
      for _ in count..<bytes.count { sources.append(source) }
    }
  }
}
