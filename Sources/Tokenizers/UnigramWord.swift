/// A word that a `UnigramModel` is reading: the best way to cut its bytes so far.
struct UnigramWord {
  /// How many bytes there are before what is known of their tokens is taken.
  static let bytesKept = 4096

  private(set) var bytes: [UInt8] = []
  /// Where each byte comes from, if that is asked for.
  private var sources: [AlignedText.Source] = []
  /// The last token of the best way to each byte, as its bytes and its id; 0 bytes where there is
  /// no way yet.
  private var lengths: [UInt16] = [0]
  private var ids: [Int32] = [0]
  /// Of the best ways.
  private var scores: [Double] = [0]
  /// The tokens of the bytes before this one were taken.
  private(set) var taken = 0
  /// Unknown characters at the end of the tokens that were taken.
  private var unknownSource: Range<Int>?

  /// The byte whose tokens are looked for next.
  var start = 0
  /// The end of the furthest token found.
  var reach = 0

  mutating func append(_ text: AlignedText, _ range: Range<Int>, hasSources: Bool) {
    for index in range {
      let count = bytes.count
      UTF8Text.append(text.scalars[index], to: &bytes)
      if hasSources {
        for _ in count..<bytes.count { sources.append(text.sources[index]) }
      }
    }
    let added = bytes.count + 1 - lengths.count
    lengths.append(contentsOf: repeatElement(0, count: added))
    ids.append(contentsOf: repeatElement(0, count: added))
    scores.append(contentsOf: repeatElement(0, count: added))
  }

  /// Of the best way to a byte.
  func score(at byte: Int) -> Double { scores[byte] }

  /// - Parameter kept: the score as the next ones are compared with it.
  mutating func offer(_ score: Double, _ id: Int32, _ range: Range<Int>, kept: Double) {
    let end = range.upperBound
    guard lengths[end] == 0 || score > scores[end] else { return }
    // A token has at most `TokenTrie.longest` bytes.
    lengths[end] = UInt16(truncatingIfNeeded: range.count)
    ids[end] = id
    scores[end] = kept
  }

  /// Takes all tokens: the next word begins.
  mutating func end(_ unknown: Int32, to run: inout TokenRun) {
    takeTokens(unknown, to: &run)
    takeUnknown(unknown, to: &run)
    self = UnigramWord()
  }

  /// Takes the tokens up to `start`, through which all ways go.
  mutating func takeTokens(_ unknown: Int32, to run: inout TokenRun) {
    var ends: [Int32] = []
    var end = start
    while end > taken {
      ends.append(Int32(truncatingIfNeeded: end))
      end -= Int(lengths[end])
    }
    for last in ends.reversed() where !run.isComplete {
      let range = end..<Int(last)
      end = range.upperBound
      let id = ids[end]
      if id == unknown {
        let place = source(of: range)
        unknownSource = (unknownSource?.lowerBound ?? place.lowerBound)..<place.upperBound
      } else {
        takeUnknown(unknown, to: &run)
        run.append(id, source(of: range))
        run.dropExcess()
      }
    }
    taken = start
    // What moves is no more than what is let go of: linear in all.
    if taken > bytes.count / 2 { dropTaken() }
  }

  private mutating func dropTaken() {
    bytes.removeFirst(taken)
    if !sources.isEmpty { sources.removeFirst(taken) }
    lengths.removeFirst(taken)
    ids.removeFirst(taken)
    scores.removeFirst(taken)
    (reach, start, taken) = (reach - taken, start - taken, 0)
  }

  /// Unknown characters in a row are one token, which ends here.
  private mutating func takeUnknown(_ unknown: Int32, to run: inout TokenRun) {
    guard let source = unknownSource else { return }
    unknownSource = nil
    run.append(unknown, source)
    run.dropExcess()
  }

  private func source(of range: Range<Int>) -> Range<Int> {
    guard !sources.isEmpty else { return 0..<0 }
    let start = Int(sources[range.lowerBound].start)
    return start..<max(start, Int(sources[range.upperBound - 1].end))
  }
}
