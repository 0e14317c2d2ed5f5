/// NFD or NFKD as Hugging Face's `tokenizers` has them, the marks that it strips afterwards, and the
/// compositions that make NFC or NFKC; the same of TensorFlow Text.
struct Decomposition: Sendable {
  /// NFD.
  static let canonical = Decomposition()
  /// NFKD.
  static let compatibility = Decomposition(DecompositionTables.compatibilities)
  /// NFD of TensorFlow Text, which knows more marks.
  static let tensorFlow = Decomposition(laterClasses: TensorFlowTables.combiningClasses)
  /// NFKC_Casefold of TensorFlow Text before it is composed, but for ASCII and what it removes.
  static let tensorFlowFolded = Decomposition(
    DecompositionTables.compatibilities + TensorFlowTables.foldedMappings,
    runs: TensorFlowTables.foldedRuns, laterClasses: TensorFlowTables.combiningClasses)

  /// Where the syllables of Hangul lie, which are decomposed by arithmetic (Unicode 3.12).
  static let hangul: ClosedRange<UInt32> = 0xAC00...0xD7A3

  /// Scalar → the full decomposition; Hangul and what decomposes to itself left out.
  let mappings: [UInt32: [UInt32]]
  /// Scalar → its canonical combining class, where that is not 0.
  let combiningClasses: [UInt32: UInt8]
  /// Non-spacing marks, which are stripped.
  private let marks: Set<UInt32>

  /// - Parameters:
  ///   - changes: rows of what is not as in NFD.
  ///   - runs: the same, one to one.
  ///   - laterClasses: combining classes beside those of Hugging Face.
  private init(
    _ changes: [UInt32] = [], runs: [UInt32] = [], laterClasses: [UInt32] = []
  ) {
    var mappings = Self.mappings(in: DecompositionTables.decompositions)
      .merging(Self.mappings(in: changes)) { $1 }
    CharacterTable.forEachRun(runs) { mappings[$0] = [$1] }
    self.mappings = mappings
    var classes: [UInt32: UInt8] = [:]
    let rows = DecompositionTables.combiningClasses + laterClasses
    for row in stride(from: 0, to: rows.count, by: 3) {
      for scalar in rows[row]...rows[row + 1] { classes[scalar] = UInt8(rows[row + 2]) }
    }
    combiningClasses = classes
    let ranges = HuggingFaceTables.nonspacingMarks
    marks = Set(
      stride(from: 0, to: ranges.count, by: 2).lazy.flatMap { ranges[$0]...ranges[$0 + 1] })
  }

  /// Rows of [scalar + 2^24 × count, count scalars].
  static func mappings(in rows: [UInt32]) -> [UInt32: [UInt32]] {
    var mappings: [UInt32: [UInt32]] = [:]
    var row = 0
    while row < rows.count {
      let end = row + 1 + Int(rows[row] >> 24)
      mappings[rows[row] & 0xFF_FFFF] = Array(rows[row + 1..<end])
      row = end
    }
    return mappings
  }

  /// Calls `body` with each scalar that `scalar` decomposes into.
  func forEachPart(of scalar: UInt32, _ body: (UInt32) -> Void) {
    if scalar < 0x80 {
      body(scalar)
    } else if Self.hangul.contains(scalar) {
      let (lead, vowel, tail) = Self.jamo(of: scalar)
      body(lead)
      body(vowel)
      if let tail { body(tail) }
    } else if let parts = mappings[scalar] {
      parts.forEach(body)
    } else {
      body(scalar)
    }
  }

  func combiningClass(of scalar: UInt32) -> UInt8 { combiningClasses[scalar] ?? 0 }

  func isMark(_ scalar: UInt32) -> Bool { marks.contains(scalar) }

  /// The scalar that two are together in NFC; nil if they stay two.
  static func composition(of first: UInt32, _ second: UInt32) -> UInt32? {
    switch (first, second) {
    case (0x1100..<0x1113, 0x1161..<0x1176):
      return hangul.lowerBound + (first - 0x1100) * 588 + (second - 0x1161) * 28
    case (hangul, 0x11A8..<0x11C3) where (first - hangul.lowerBound) % 28 == 0:
      return first + (second - 0x11A7)
    default: return compositions[UInt64(first) << 32 | UInt64(second)]
    }
  }

  /// Composed scalars by the two that they are made of, 2^32 × first + second. The first is composed
  /// itself where a scalar decomposes into more than two.
  private static let compositions: [UInt64: UInt32] = {
    let rows = DecompositionTables.compositionExclusions
    let excluded = Set(
      stride(from: 0, to: rows.count, by: 2).lazy.flatMap { rows[$0]...rows[$0 + 1] })
    let kept = canonical.mappings.filter { $1.count > 1 && !excluded.contains($0) }
    let wholes = Dictionary(uniqueKeysWithValues: kept.map { ($1, $0) })
    var result: [UInt64: UInt32] = [:]
    for (scalar, parts) in kept {
      guard let first = parts.count == 2 ? parts[0] : wholes[Array(parts.dropLast())] else {
        preconditionFailure("all parts but the last make one scalar: make_tables.py checks it")
      }
      result[UInt64(first) << 32 | UInt64(parts[parts.count - 1])] = scalar
    }
    return result
  }()

  /// The jamo of a Hangul syllable.
  static func jamo(of syllable: UInt32) -> (lead: UInt32, vowel: UInt32, tail: UInt32?) {
    let index = syllable - hangul.lowerBound
    let tail = index % 28
    return (0x1100 + index / 588, 0x1161 + index % 588 / 28, tail > 0 ? 0x11A7 + tail : nil)
  }
}
