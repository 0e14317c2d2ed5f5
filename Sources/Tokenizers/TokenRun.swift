/// The tokens of one text, as many as can still be in the answer.
struct TokenRun {
  enum Keep {
    /// All that come after the limit are dropped; with `stops`, they are not even looked at.
    case first(stops: Bool)
    /// The earliest are dropped.
    case last
  }

  private(set) var ids: [Int32] = []
  /// One for each id, if `hasSources`.
  private(set) var sources: [TokenSource?] = []
  /// Tokens that were dropped.
  private var droppedCount = 0
  /// More tokens, with a text that is not yet at its end, will not change the answer.
  private(set) var isComplete = false

  /// Bytes of text that were read.
  private(set) var readCount = 0
  /// The most of them at once.
  private(set) var largestRead = 0
  /// Whether the caller gave the text up.
  private(set) var isCancelled = false
  private let mayRead: (@Sendable (Int) -> Bool)?
  /// Bytes of memory that the caller has granted.
  private var granted = 0

  let hasSources: Bool
  /// The text of a pair, or the word of a list, that is being read.
  var part = 0

  /// Tokens of the answer at most.
  let limit: Int
  private let keep: Keep
  /// How many ids there may be before some are dropped: dropping the earliest moves the rest, so
  /// it is done once in a while.
  private let highWater: Int

  init(
    limit: Int, keep: Keep, hasSources: Bool, mayRead: (@Sendable (Int) -> Bool)? = nil
  ) {
    self.mayRead = mayRead
    // No text has so many tokens, and sums stay within an Int.
    self.limit = min(limit, 1 << 40)
    self.keep = keep
    self.hasSources = hasSources
    highWater = if case .last = keep { 2 * self.limit + 256 } else { self.limit }
  }

  /// Tokens so far, dropped ones included.
  var totalCount: Int { ids.count + droppedCount }

  /// Once, for the first text: later ones grow the array as they need.
  mutating func reserve(_ count: Int) {
    if ids.isEmpty { ids.reserveCapacity(min(count, highWater + 100)) }
  }

  @inline(__always)
  mutating func append(_ id: Int32, _ bytes: @autoclosure () -> Range<Int>) {
    ids.append(id)
    if hasSources { sources.append(TokenSource(part: part, bytes: bytes())) }
  }

  /// To be called before so many bytes are read.
  ///
  /// - Parameter size: bytes or scalars, whichever are more, that normalisers make of them.
  mutating func willRead(_ count: Int, becoming size: @autoclosure () -> Int? = nil) {
    readCount += count
    largestRead = max(largestRead, count)
    guard let mayRead else { return }
    let needed = max(0, memory(whileReading: size() ?? count) - granted)
    guard mayRead(needed) else {
      (isCancelled, isComplete) = (true, true)
      return
    }
    granted += needed
  }

  /// Bytes of a text that are read at once without a word.
  private static let littleText = 256 << 10
  private static let littleTokens = 8192
  /// Of memory for a byte of a text: its characters, where they come from, normalised, and as a word.
  private static let bytesOfTextByte = 64

  /// Bytes of memory that tokens so far and a long part of a text take.
  private func memory(whileReading count: Int) -> Int {
    let bytesOfToken = 4 + (hasSources ? MemoryLayout<TokenSource?>.stride : 0)
    return (count > Self.littleText ? count * Self.bytesOfTextByte : 0)
      + (ids.count > Self.littleTokens ? 2 * ids.count * bytesOfToken : 0)
  }

  /// Takes the latest tokens back, down to `count` of `ids`.
  mutating func rollBack(to count: Int) {
    ids.removeLast(ids.count - count)
    if hasSources { sources.removeLast(sources.count - count) }
  }

  /// To be called between words.
  @inline(__always)
  mutating func dropExcess() {
    if ids.count > highWater { drop() }
  }

  private mutating func drop() {
    switch keep {
    case .first(let stops):
      isComplete = stops
      droppedCount += ids.count - limit
      rollBack(to: limit)
    case .last:
      keepLast(limit)
    }
  }

  /// Drops all but `count` tokens of the end that is kept.
  mutating func truncate(to count: Int) {
    guard ids.count > count else { return }
    switch keep {
    case .first:
      droppedCount += ids.count - count
      rollBack(to: count)
    case .last: keepLast(count)
    }
  }

  private mutating func keepLast(_ count: Int) {
    let excess = ids.count - count
    droppedCount += excess
    ids.removeFirst(excess)
    if hasSources { sources.removeFirst(excess) }
  }
}
