/// Rows in parts that some threads take one by one: in rounds of equal parts, large ones first, so
/// that threads of one speed end together and others soon after each other.
struct RowParts {
  let count: Int
  let takers: Int
  /// Rows of a part, but for a last round of fewer.
  let sizes: ClosedRange<Int>

  /// The part at an index; empty past the last.
  subscript(index: Int) -> Range<Int> {
    var start = 0
    for _ in 0..<index / takers where start < count { start += size(from: start) * takers }
    let size = size(from: start)
    let first = min(start + index % takers * size, count)
    return first..<min(first + size, count)
  }

  /// Rows of each part of the round that begins at `start`.
  private func size(from start: Int) -> Int {
    let remaining = count - start
    let half = remaining / (2 * takers)
    // Too few for two rounds.
    if half < sizes.lowerBound, remaining <= takers * sizes.upperBound {
      return max(1, (remaining + takers - 1) / takers)
    }
    return min(max(half, sizes.lowerBound), sizes.upperBound)
  }
}
