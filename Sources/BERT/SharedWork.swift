import Synchronization

/// Work of a number of parts that threads take until there is none left.
final class SharedWork: Sendable {
  private let taken = Atomic(0)

  /// Takes the next of `count` parts; nil if there is none.
  func take(of count: Int) -> Int? {
    let index = taken.add(1, ordering: .relaxed).oldValue
    return index < count ? index : nil
  }

  /// Takes some of `count` rows: many at first, few at the end, so that all takers end at about
  /// the same time; nil if there are none.
  ///
  /// - Parameter sizes: how many, but for the last rows.
  func take(_ sizes: ClosedRange<Int>, of count: Int, takers: Int) -> Range<Int>? {
    var start = taken.load(ordering: .relaxed)
    while start < count {
      let remaining = count - start
      var size = min(max(remaining / (2 * takers), sizes.lowerBound), sizes.upperBound)
      // No few rows are left over: they would be slow.
      if remaining <= sizes.upperBound, remaining - size < sizes.lowerBound { size = remaining }
      size = min(size, remaining)
      let (exchanged, original) = taken.weakCompareExchange(
        expected: start, desired: start + size, ordering: .relaxed)
      if exchanged { return start..<(start + size) }
      start = original
    }
    return nil
  }

  /// Makes all of it available again. Nobody may be taking.
  func reset() { taken.store(0, ordering: .relaxed) }
}
