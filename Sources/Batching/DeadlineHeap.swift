/// Deadlines, the earliest first: a binary heap.
struct DeadlineHeap {
  struct Entry {
    let deadline: ContinuousClock.Instant
    let request: RequestID
  }

  private var entries: [Entry] = []

  var first: Entry? { entries.first }
  var count: Int { entries.count }

  /// O(log n).
  mutating func insert(_ entry: Entry) {
    entries.append(entry)
    var child = entries.count - 1
    while child > 0, entries[child].deadline < entries[(child - 1) / 2].deadline {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// O(log n).
  mutating func removeFirst() {
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child].deadline < entries[least].deadline {
        least = child
      }
      if least == parent { return }
      entries.swapAt(parent, least)
      parent = least
    }
  }

  /// O(n log n), or O(n) when nearly sorted, as deadlines are.
  mutating func keep(where isKept: (RequestID) -> Bool) {
    // A sorted array is a heap.
    entries = entries.filter { isKept($0.request) }.sorted { $0.deadline < $1.deadline }
  }
}
