import Synchronization

/// Work of a number of parts that threads take until there is none left.
final class SharedWork: Sendable {
  private let taken = Atomic(0)

  /// Takes the next of `count` parts; nil if there is none.
  func take(of count: Int) -> Int? {
    let index = taken.add(1, ordering: .relaxed).oldValue
    return index < count ? index : nil
  }

  /// Takes the next of some parts of rows; nil if there is none.
  func take(_ parts: RowParts) -> Range<Int>? {
    let rows = parts[taken.add(1, ordering: .relaxed).oldValue]
    return rows.isEmpty ? nil : rows
  }

  /// Makes all of it available again. Nobody may be taking.
  func reset() { taken.store(0, ordering: .relaxed) }
}
