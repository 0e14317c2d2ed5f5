/// The word that is being put together from normalised text, and where each byte comes from.
struct NormalizedWord {
  /// UTF-8, as far as the limit reaches.
  private(set) var bytes: [UInt8] = []
  /// The part of the text that each byte stands for, if `hasSources`.
  private var sources: [Range<Int>] = []
  private var length = 0
  private var lastSource = 0..<0
  private let hasSources: Bool
  private let limit: WordPieceModel.Limit

  init(limit: WordPieceModel.Limit, hasSources: Bool) {
    self.limit = limit
    self.hasSources = hasSources
  }

  var isEmpty: Bool { length == 0 }
  /// Whether the word is longer than a word may be.
  var isOverLimit: Bool { length > limit.count }

  /// The part of the text that a range of bytes stands for.
  func source(of range: Range<Int>) -> Range<Int> {
    guard hasSources else { return 0..<0 }
    let start = sources[range.lowerBound].lowerBound
    return start..<max(start, sources[range.upperBound - 1].upperBound)
  }

  /// The part of the text that the word stands for, characters over the limit included.
  var source: Range<Int> {
    guard hasSources else { return 0..<0 }
    return sources[0].lowerBound..<max(sources[0].lowerBound, lastSource.upperBound)
  }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    sources.removeAll(keepingCapacity: true)
    length = 0
  }

  @inline(__always)
  mutating func append(_ scalar: UInt32, from source: Range<Int>) {
    lastSource = source
    guard length <= limit.count else { return }
    let count = bytes.count
    UTF8Text.append(scalar, to: &bytes)
    length += limit.isInBytes ? bytes.count - count : 1
    if hasSources {
      for _ in count..<bytes.count { sources.append(source) }
    }
  }
}
