/// A number as a file states it, unsigned. It has no arithmetic and no conversion that traps: it
/// becomes an `Int` only up to a limit, so that sums of such numbers stay far below 2^63.
struct FileNumber: Equatable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// For checksums, floats and flags.
  let bits: UInt64

  init(_ value: some FixedWidthInteger) { bits = UInt64(truncatingIfNeeded: value) }
  init(integerLiteral value: UInt64) { bits = value }

  /// Nil above `limit`.
  func count(upTo limit: Int) -> Int? {
    guard let count = Int(exactly: bits), count <= limit else { return nil }
    return count
  }

  /// So many bytes from `offset` on; nil unless all of them lie inside `whole`.
  static func range(
    offset: FileNumber, count: FileNumber, in whole: Range<Int>
  ) -> Range<Int>? {
    guard let start = offset.count(upTo: whole.upperBound), start >= whole.lowerBound,
      let count = count.count(upTo: whole.upperBound - start)
    else { return nil }
    return start..<start + count
  }

  var description: String { String(bits) }
}

extension FileNumber {
  /// The product of these lengths, a tensor's shape and perhaps the size of an element; nil beyond
  /// 2^63 - 1 or with a negative length.
  static func product(_ lengths: some Sequence<Int>) -> Int? {
    var product = 1
    for length in lengths {
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      guard !overflow, length >= 0 else { return nil }
      product = next
    }
    return product
  }
}
