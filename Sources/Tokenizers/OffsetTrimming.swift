/// `trim_offsets` of a `RobertaProcessing` or `ByteLevel` post-processor: the white space that a
/// token begins or ends with is no part of its place in the text.
struct OffsetTrimming: Sendable, Equatable {
  /// Whether the first token may begin with a space that the text does not have.
  var addsPrefixSpace: Bool

  /// - Parameters:
  ///   - leading: white space at the token's start, in scalars; they may be fewer in the text, as
  ///     `tokenizers` has it.
  ///   - isFirst: whether the token is the text's first.
  func trim(
    _ range: Range<Int>, leading: Int, trailing: Int, isFirst: Bool,
    in text: borrowing Span<UInt8>
  ) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    // One space may have been added, several are the text's.
    let leading = leading == 1 && addsPrefixSpace && (isFirst || start == 0) ? 0 : leading
    for _ in 0..<leading where start < end { start = UTF8Text.scalar(in: text, at: start).end }
    for _ in 0..<trailing where start < end {
      end = UTF8Text.lastScalar(in: text, before: end).start
    }
    return start..<max(start, end)
  }

  /// How many scalars at the start and at the end of a token are white space.
  static func spaces(_ token: ArraySlice<UInt32>) -> (leading: Int, trailing: Int) {
    func isSpace(_ scalar: UInt32) -> Bool {
      scalar == ByteLevel.space || CharacterClasses.shared.whiteSpace.contains(scalar)
    }
    return (token.prefix(while: isSpace).count, token.reversed().prefix(while: isSpace).count)
  }
}
