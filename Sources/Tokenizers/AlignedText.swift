/// Text on its way through the steps of a pipeline, and where each of its scalars comes from:
/// `NormalizedString` of Hugging Face's `tokenizers`, whose places these are, odd ones included.
struct AlignedText {
  /// Bytes of the text that came in, which has less than 4 GiB.
  struct Source {
    var start: UInt32
    var end: UInt32
  }

  /// A scalar that a step puts out.
  struct Change {
    var scalar: UInt32
    /// Over 0: it is new, and shares the place of the scalar before it. Else it takes a scalar's
    /// place, and as many more as this is below 0 are gone.
    var count: Int
  }

  private(set) var scalars: [UInt32] = []
  private(set) var sources: [Source] = []

  init() {}

  init(_ text: borrowing Span<UInt8>, _ range: Range<Int>) {
    scalars.reserveCapacity(range.count)
    sources.reserveCapacity(range.count)
    var index = range.lowerBound
    while index < range.upperBound {
      let (scalar, end) = UTF8Text.scalar(in: text, at: index)
      append(scalar, Source(start: UInt32(clamping: index), end: UInt32(clamping: end)))
      index = end
    }
  }

  /// A text that comes from nowhere.
  init(_ bytes: [UInt8]) { self.init(bytes.span, bytes.indices) }

  var count: Int { scalars.count }

  mutating func append(_ scalar: UInt32, _ source: Source) {
    scalars.append(scalar)
    sources.append(source)
  }

  mutating func append(_ other: AlignedText, _ range: Range<Int>) {
    scalars += other.scalars[range]
    sources += other.sources[range]
  }

  mutating func reserve(_ count: Int) {
    scalars.reserveCapacity(count)
    sources.reserveCapacity(count)
  }

  /// The part of the text that came in, of some of the scalars.
  func source(of range: Range<Int>) -> Range<Int> {
    guard !range.isEmpty else { return 0..<0 }
    let start = Int(sources[range.lowerBound].start)
    return start..<max(start, Int(sources[range.upperBound - 1].end))
  }

  mutating func removeAll(where isRemoved: (UInt32) -> Bool) {
    var count = 0
    for index in scalars.indices where !isRemoved(scalars[index]) {
      scalars[count] = scalars[index]
      sources[count] = sources[index]
      count += 1
    }
    scalars.removeLast(scalars.count - count)
    sources.removeLast(sources.count - count)
  }

  mutating func keep(_ range: Range<Int>) {
    scalars = Array(scalars[range])
    sources = Array(sources[range])
  }

  mutating func map(_ transform: (UInt32) -> UInt32) {
    for index in scalars.indices { scalars[index] = transform(scalars[index]) }
  }

  /// Puts the scalars that `body` makes of each scalar in its place.
  mutating func flatMap(_ body: (UInt32, (UInt32) -> Void) -> Void) {
    var result = AlignedText()
    result.reserve(count)
    for index in scalars.indices {
      body(scalars[index]) { result.append($0, sources[index]) }
    }
    self = result
  }

  mutating func transform(_ changes: [Change]) {
    var result = AlignedText()
    result.reserve(changes.count)
    var next = 0
    for change in changes {
      let place = change.count > 0 ? next - 1 : next
      result.append(
        change.scalar,
        sources.indices.contains(place) ? sources[place] : Source(start: 0, end: 0))
      if change.count <= 0 { next += 1 - change.count }
    }
    self = result
  }

  /// The text as UTF-8, and the index of the scalar that each byte belongs to.
  func utf8() -> (bytes: [UInt8], scalars: [Int32]) {
    var bytes: [UInt8] = []
    var indices: [Int32] = []
    for (index, scalar) in scalars.enumerated() {
      UTF8Text.append(scalar, to: &bytes)
      while indices.count < bytes.count { indices.append(Int32(truncatingIfNeeded: index)) }
    }
    return (bytes, indices)
  }
}
