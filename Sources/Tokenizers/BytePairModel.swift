/// Byte-pair encoding (Sennrich 2016): the two neighbours that were merged first in training are
/// merged first, and of those the leftmost.
///
/// Complexity: O(n log n) for n scalars of a word.
struct BytePairModel: Sendable {
  /// Two neighbours, as first and second id.
  struct Pair: Hashable {
    var first: Int32
    var second: Int32
  }

  struct Merge: Sendable {
    /// Place in the list of merges.
    var rank: Int32
    var id: Int32
  }

  private let merges: [Pair: Merge]
  /// The token that each merge makes.
  private let mergedIDs: [Int32]
  /// The token of each scalar of `ByteLevel`, by scalar.
  private let ids: [Int32]
  /// Whether some merge joins a token that ends in one scalar of `ByteLevel` to one that begins with
  /// another, by both.
  private let joins: [Bool]

  /// A word that is one of these tokens is not taken apart (`ignore_merges`); nil: all words are.
  private let whole: Vocabulary?
  /// No token of `whole` has more scalars; 0 where that is nil.
  let longestWhole: Int

  /// A word is cut between scalars that no merge joins, once it has so many.
  private static let pieceLength = 256
  /// `ByteLevel`'s scalars are below.
  private static let scalarCount = 512

  /// - Parameters:
  ///   - merges: the two tokens of each and the one that they make, in their order.
  ///   - borders: of each merge the last scalar of the first token, and the first of the second.
  ///   - ids: tokens of all scalars of the byte-level alphabet.
  ///   - whole: the tokens that words are looked up in first, and a limit of their scalars.
  init(
    merges list: [(first: Int32, second: Int32, merged: Int32)],
    borders: [(last: UInt32, first: UInt32)], ids tokens: [UInt32: Int32],
    whole: (tokens: Vocabulary, longest: Int)? = nil
  ) {
    self.whole = whole?.tokens
    longestWhole = whole?.longest ?? 0
    var merges: [Pair: Merge] = [:]
    for (rank, merge) in list.enumerated() {
      merges[Pair(first: merge.first, second: merge.second)] = Merge(
        rank: Int32(truncatingIfNeeded: rank), id: merge.merged)
    }
    self.merges = merges
    mergedIDs = list.map(\.merged)
    ids = (0..<UInt32(Self.scalarCount)).map { tokens[$0] ?? 0 }
    var joins = [Bool](repeating: false, count: Self.scalarCount * Self.scalarCount)
    for border in borders where max(border.last, border.first) < Self.scalarCount {
      joins[Int(border.last) * Self.scalarCount + Int(border.first)] = true
    }
    self.joins = joins
  }

  private struct Symbol {
    /// Below 0 once merged into the symbol before it.
    var id: Int32
    var previous: Int32
    var next: Int32
  }

  /// Two neighbours that may be merged. In order: by rank, the leftmost first.
  private struct Candidate {
    var rank: Int32
    var place: Int32

    func isBefore(_ other: Candidate) -> Bool {
      rank != other.rank ? rank < other.rank : place < other.place
    }
  }

  /// A binary heap.
  private struct Candidates {
    private var heap: [Candidate] = []

    mutating func push(_ candidate: Candidate) {
      heap.append(candidate)
      var index = heap.count - 1
      while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
        heap.swapAt(index, (index - 1) / 2)
        index = (index - 1) / 2
      }
    }

    mutating func pop() -> Candidate? {
      guard let first = heap.first else { return nil }
      let last = heap.removeLast()
      guard !heap.isEmpty else { return first }
      heap[0] = last
      var index = 0
      while true {
        var child = 2 * index + 1
        guard child < heap.count else { return first }
        if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
        guard heap[child].isBefore(heap[index]) else { return first }
        heap.swapAt(index, child)
        index = child
      }
    }
  }

  /// The tokens of a word, and how many of its scalars each takes.
  ///
  /// - Parameter run: is asked whether the text is still wanted.
  func tokens(
    of word: ArraySlice<UInt32>, _ run: inout TokenRun
  ) -> [(id: Int32, count: Int)] {
    let count = Int32(truncatingIfNeeded: word.count)
    var symbols: [Symbol] = []
    symbols.reserveCapacity(word.count)
    for scalar in word {
      let place = Int32(truncatingIfNeeded: symbols.count)
      symbols.append(
        Symbol(
          id: scalar < Self.scalarCount ? ids[Int(scalar)] : 0, previous: place - 1, next: place + 1
        ))
    }
    var candidates = Candidates()
    func offer(_ place: Int32) {
      let symbol = symbols[Int(place)]
      guard symbol.next < count else { return }
      let pair = Pair(first: symbol.id, second: symbols[Int(symbol.next)].id)
      guard let merge = merges[pair] else { return }
      candidates.push(Candidate(rank: merge.rank, place: place))
    }
    for index in 0..<count { offer(index) }
    var steps = 0
    while let best = candidates.pop() {
      steps += 1
      if steps % (1 << 16) == 0 {
        run.willRead(0)
        if run.isComplete { return [] }
      }
      let symbol = symbols[Int(best.place)]
      // What was offered may have been merged since, in part or otherwise.
      guard symbol.id >= 0, symbol.next < count else { continue }
      let next = symbols[Int(symbol.next)]
      let id = mergedIDs[Int(best.rank)]
      guard merges[Pair(first: symbol.id, second: next.id)]?.id == id else { continue }
      symbols[Int(symbol.next)].id = -1
      symbols[Int(best.place)] = Symbol(id: id, previous: symbol.previous, next: next.next)
      if next.next < count { symbols[Int(next.next)].previous = best.place }
      if symbol.previous >= 0 { offer(symbol.previous) }
      offer(best.place)
    }
    var tokens: [(id: Int32, count: Int)] = []
    var place: Int32 = 0
    while place < count {
      let symbol = symbols[Int(place)]
      tokens.append((symbol.id, Int(symbol.next - place)))
      place = symbol.next
    }
    return tokens
  }

  /// The token that a word is as a whole; nil if it is to be taken apart.
  func wholeToken(of word: ArraySlice<UInt32>) -> Int32? {
    guard let whole, word.count <= longestWhole else { return nil }
    var bytes: [UInt8] = []
    for scalar in word { UTF8Text.append(scalar, to: &bytes) }
    return whole.id(of: String(decoding: bytes, as: UTF8.self))
  }

  private func isBorder(_ scalars: [UInt32], _ index: Int) -> Bool {
    let (last, first) = (scalars[index - 1], scalars[index])
    guard max(last, first) < Self.scalarCount else { return false }
    return !joins[Int(last) * Self.scalarCount + Int(first)]
  }

  /// The end of the first piece of a word, which nothing is merged across.
  func border(in scalars: [UInt32], _ word: Range<Int>) -> Int {
    var index = word.lowerBound
    guard word.count > Self.pieceLength else { return word.upperBound }
    index += Self.pieceLength
    while index < word.upperBound, !isBorder(scalars, index) { index += 1 }
    return index
  }

  /// The last place from an index on that nothing is merged across; 0 if there is none.
  func lastBorder(in scalars: [UInt32], from start: Int) -> Int {
    scalars.indices.dropFirst(max(1, start)).last { isBorder(scalars, $0) } ?? 0
  }
}
