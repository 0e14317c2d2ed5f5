/// Sets of scalars as Hugging Face's `tokenizers` knows them.
struct CharacterClasses: Sendable {
  static let shared = CharacterClasses()

  /// A set of scalars, in a bit each.
  struct Members: Sendable {
    private var bits = [UInt64](repeating: 0, count: 0x11_0000 / 64)

    /// - Parameters:
    ///   - ranges: first and last scalars, in turn.
    ///   - others: those of them that are no members.
    init(_ ranges: [UInt32], except others: ClosedRange<UInt32>? = nil) {
      for range in stride(from: 0, to: ranges.count, by: 2) {
        for scalar in ranges[range]...ranges[range + 1] where others?.contains(scalar) != true {
          bits[Int(scalar >> 6)] |= 1 << UInt64(scalar & 63)
        }
      }
    }

    @inline(__always)
    func contains(_ scalar: UInt32) -> Bool {
      bits[Int(scalar >> 6)] >> UInt64(scalar & 63) & 1 == 1
    }
  }

  let whiteSpace = Members(HuggingFaceTables.whiteSpace)
  let punctuation = Members(HuggingFaceTables.punctuation)
  let ideographs = Members(HuggingFaceTables.ideographs)
  /// `\w` of regular expressions.
  let word = Members(HuggingFaceClasses.word)
  /// Non-spacing, spacing and enclosing marks.
  let marks = Members(HuggingFaceClasses.marks)
  let numeric = Members(HuggingFaceClasses.numeric)
  /// `\p{L}` and `\p{N}` of regular expressions.
  let letter = Members(HuggingFaceClasses.letter)
  let number = Members(HuggingFaceClasses.number)
}
