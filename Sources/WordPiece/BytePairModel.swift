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
  /// The token of each scalar of `ByteLevel`, by byte.
  private let ids: [UInt32: Int32]

  /// - Parameter ids: tokens of all scalars of the byte-level alphabet.
  init(merges: [Pair: Merge], ids: [UInt32: Int32]) {
    self.merges = merges
    self.ids = ids
  }

  private struct Symbol {
    var id: Int32
    /// Scalars of the word; 0 once merged into the symbol before it.
    var count: Int
    var previous: Int
    var next: Int
  }

  private struct Candidate {
    var rank: Int32
    var place: Int
    var id: Int32

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
        let children = [2 * index + 1, 2 * index + 2].filter { $0 < heap.count }
        guard let child = children.min(by: { heap[$0].isBefore(heap[$1]) }),
          heap[child].isBefore(heap[index])
        else { return first }
        heap.swapAt(index, child)
        index = child
      }
    }
  }

  /// The tokens of a word, and how many of its scalars each takes.
  func tokens(of word: ArraySlice<UInt32>) -> [(id: Int32, count: Int)] {
    var symbols = word.enumerated().map { index, scalar in
      Symbol(id: ids[scalar] ?? 0, count: 1, previous: index - 1, next: index + 1)
    }
    var candidates = Candidates()
    func offer(_ place: Int) {
      let next = symbols[place].next
      guard next < symbols.count else { return }
      let pair = Pair(first: symbols[place].id, second: symbols[next].id)
      guard let merge = merges[pair] else { return }
      candidates.push(Candidate(rank: merge.rank, place: place, id: merge.id))
    }
    for index in symbols.indices { offer(index) }
    while let best = candidates.pop() {
      let symbol = symbols[best.place]
      // What was offered may have been merged since, in part or otherwise.
      guard symbol.count > 0, symbol.next < symbols.count,
        merges[Pair(first: symbol.id, second: symbols[symbol.next].id)]?.id == best.id
      else { continue }
      let next = symbols[symbol.next]
      symbols[symbol.next].count = 0
      symbols[best.place] = Symbol(
        id: best.id, count: symbol.count + next.count, previous: symbol.previous, next: next.next)
      if next.next < symbols.count { symbols[next.next].previous = best.place }
      if symbol.previous >= 0 { offer(symbol.previous) }
      offer(best.place)
    }
    return symbols.lazy.filter { $0.count > 0 }.map { ($0.id, $0.count) }
  }
}
