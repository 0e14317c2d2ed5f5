/// What becomes of each Unicode scalar under one set of options: cleaning, splitting, NFD,
/// stripping and lower-casing folded into a single lookup.
///
/// Mapping scalars one by one gives what the whole text's normal form gives, but for marks that
/// are reordered and not stripped: `CombiningRun` has those.
struct CharacterTable: Sendable {
  enum Kind: UInt32 {
    /// Part of a word.
    case word
    /// A word of its own: punctuation, or an ideograph.
    case isolated
    /// Ends a word.
    case space
    /// Gone before anything else sees it.
    case removed
    /// A combining mark that is stripped, but has a say in the order of the marks around it.
    case strippedMark
    /// A combining mark (class over 0) that is kept.
    case keptMark
    /// Decomposes into a starter and combining marks that are kept.
    case composite
    /// Becomes scalars of more than one kind: each does what it would do in the text.
    case sequence
  }

  enum Output: UInt32 {
    /// The scalar itself.
    case unchanged
    /// One scalar, in the entry.
    case scalar
    /// Any number, in `pool`.
    case several
    /// The jamo of a syllable.
    case jamo
  }

  /// Kind in bits 0 to 2, output in bits 3 and 4, a scalar or a place in the pool above.
  struct Entry: Equatable {
    var bits: UInt32

    init(_ kind: Kind, _ output: Output = .unchanged, _ value: UInt32 = 0) {
      bits = kind.rawValue | output.rawValue << 3 | value << 5
    }

    init(bits: UInt32) { self.bits = bits }

    // The raw values are complete for the bits that `init` writes.
    var kind: Kind { Kind(rawValue: bits & 7) ?? .word }
    var output: Output { Output(rawValue: bits >> 3 & 3) ?? .unchanged }
    var value: UInt32 { bits >> 5 }

    func with(_ kind: Kind) -> Entry { Entry(bits: bits & ~7 | kind.rawValue) }
  }

  private static let pageSize = 256
  /// The entry of a scalar is `entries[256 × pages[scalar / 256] + scalar % 256]`. Pages that are
  /// alike may be one.
  private var pages = [UInt16](repeating: 0, count: 0x11_0000 / pageSize)
  private var entries = [Entry](repeating: Entry(.word), count: pageSize)
  private var sharedPages: Set<UInt16> = [0]
  /// [count, count scalars] of each output of several.
  private var pool: [UInt32] = []
  /// Scalar → its canonical combining class, of marks.
  var combiningClasses: [UInt32: UInt8] = [:]

  subscript(scalar: UInt32) -> Entry {
    entries[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)]
  }

  /// Calls `body` with each scalar that stands for `scalar` in the normalised text.
  @inline(__always)
  func forEachOutput(of scalar: UInt32, _ entry: Entry, _ body: (UInt32) -> Void) {
    switch entry.output {
    case .unchanged: body(scalar)
    case .scalar: body(entry.value)
    case .several:
      let place = Int(entry.value)
      for index in place + 1..<place + 1 + Int(pool[place]) { body(pool[index]) }
    case .jamo:
      let (lead, vowel, tail) = Decomposition.jamo(of: scalar)
      body(lead)
      body(vowel)
      if let tail { body(tail) }
    }
  }

  /// The rules of Hugging Face's `BertNormalizer` followed by its `BertPreTokenizer`.
  init(huggingFace options: BERTOptions) {
    update(HuggingFaceTables.punctuation) { $0.with(.isolated) }
    update(HuggingFaceTables.whiteSpace) { $0.with(.space) }
    if options.lowercase { addLowercase() }
    if options.stripsAccents { addDecompositions(.canonical) }
    if options.spacesAroundCJK {
      update(HuggingFaceTables.ideographs) { $0.with(.isolated) }
    }
    if options.cleanText { addCleaning() }
  }

  /// The rules of TensorFlow Text's `BertTokenizer`.
  ///
  /// In lower case: NFKC_Casefold, NFD, non-spacing marks stripped. Always: control and format
  /// characters split words, as ASCII white space does, and what is punctuation or CJK is apart.
  init(tensorFlow options: BERTOptions) {
    update(TensorFlowTables.isolated) { $0.with(.isolated) }
    update(TensorFlowTables.spaces) { _ in Entry(.space) }
    guard options.lowercase else { return }
    addLowercase()
    addDecompositions(.canonical)
    let nothing = several([], .word)
    update(TensorFlowTables.removed) { _ in Entry(.removed) }
    update(TensorFlowTables.vanishing) { _ in nothing }
    update(TensorFlowTables.strippedMarks) { _ in nothing.with(.strippedMark) }
    let (stripped, kept) = (TensorFlowTables.strippedMarks, TensorFlowTables.keptMarks)
    for range in stride(from: 0, to: stripped.count, by: 2) {
      // Which class is all the same: they are gone when the order is made.
      for scalar in stripped[range]...stripped[range + 1] { combiningClasses[scalar] = 1 }
    }
    for row in stride(from: 0, to: kept.count, by: 3) {
      update([kept[row], kept[row + 1]]) { _ in Entry(.keptMark) }
      for scalar in kept[row]...kept[row + 1] { combiningClasses[scalar] = UInt8(kept[row + 2]) }
    }
    update(TensorFlowTables.composites) { $0.with(.composite) }
    Self.forEachRun(TensorFlowTables.runs) { set($0, foldedEntry([$1])) }
    let mappings = Decomposition.mappings(in: TensorFlowTables.mappings)
    for (scalar, outputs) in mappings { set(scalar, foldedEntry(outputs)) }
  }

  /// - Parameter outputs: in their normal form, which is their own entry's affair no more.
  private mutating func foldedEntry(_ outputs: [UInt32]) -> Entry {
    let kinds = outputs.map { output in
      output == 0x20 ? Kind.space : self[output].kind == .isolated ? .isolated : .word
    }
    if outputs.count == 1 { return Entry(kinds[0], .scalar, outputs[0]) }
    return several(outputs, kinds.allSatisfy { $0 == .word } ? .word : .sequence)
  }

  /// Rows of [first, last, stride, distance]: every stride-th scalar, and what it becomes.
  static func forEachRun(_ rows: [UInt32], _ body: (UInt32, UInt32) -> Void) {
    for row in stride(from: 0, to: rows.count, by: 4) {
      for scalar in stride(from: rows[row], through: rows[row + 1], by: Int(rows[row + 2])) {
        body(scalar, scalar &+ rows[row + 3])
      }
    }
  }

  private mutating func addLowercase() {
    Self.forEachRun(HuggingFaceTables.lowercaseRuns) { set($0, Entry(.word, .scalar, $1)) }
    let mappings = Decomposition.mappings(in: HuggingFaceTables.lowercaseMappings)
    for (scalar, outputs) in mappings { set(scalar, several(outputs, .word)) }
  }

  /// Marks first, so that what holds them is seen to lose them.
  private mutating func addDecompositions(_ decomposition: Decomposition) {
    combiningClasses = decomposition.combiningClasses
    let nothing = several([], .word)
    update(HuggingFaceTables.nonspacingMarks) { _ in nothing }
    for mark in combiningClasses.keys {
      set(mark, self[mark].with(decomposition.isMark(mark) ? .strippedMark : .keptMark))
    }
    update([Decomposition.hangul.lowerBound, Decomposition.hangul.upperBound]) {
      _ in Entry(.word, .jamo)
    }
    // Full decompositions: what they hold is not decomposed further.
    var decomposed: [(scalar: UInt32, entry: Entry)] = []
    for (scalar, parts) in decomposition.mappings {
      decomposed.append((scalar, entry(for: parts)))
    }
    for (scalar, entry) in decomposed { set(scalar, entry) }
  }

  private mutating func entry(for parts: [UInt32]) -> Entry {
    var outputs: [UInt32] = []
    var kind = Kind.strippedMark
    for part in parts {
      let entry = self[part]
      forEachOutput(of: part, entry) { outputs.append($0) }
      switch entry.kind {
      case .strippedMark: break
      case .keptMark: kind = .composite
      case let other: kind = other
      }
    }
    return outputs.count == 1
      ? Entry(kind, .scalar, outputs[0]) : several(outputs, kind)
  }

  /// Cleaning comes first in time, so it has the last word. It makes any white space a plain
  /// space, before a control character among it could be seen as one.
  private mutating func addCleaning() {
    update(HuggingFaceTables.whiteSpace) { _ in Entry(.space) }
    update(HuggingFaceTables.control) { _ in Entry(.removed) }
  }

  private mutating func several(_ outputs: [UInt32], _ kind: Kind) -> Entry {
    defer { pool += [UInt32(outputs.count)] + outputs }
    return Entry(kind, .several, UInt32(pool.count))
  }

  private mutating func set(_ scalar: UInt32, _ entry: Entry) {
    update([scalar, scalar]) { _ in entry }
  }

  /// - Parameter ranges: first and last scalars, in turn.
  private mutating func update(_ ranges: [UInt32], _ change: (Entry) -> Entry) {
    // Pages that are changed as a whole stay shared if they were.
    var changedPages: [UInt16: UInt16] = [:]
    for range in stride(from: 0, to: ranges.count, by: 2) {
      let (first, last) = (Int(ranges[range]), Int(ranges[range + 1]))
      for page in first >> 8...last >> 8 {
        let start = max(first, page << 8) & 0xFF
        let end = min(last, page << 8 | 0xFF) & 0xFF
        let old = pages[page]
        let isWhole = start == 0 && end == 0xFF
        if isWhole, let changed = changedPages[old] {
          pages[page] = changed
          continue
        }
        if sharedPages.contains(old) {
          pages[page] = UInt16(entries.count / Self.pageSize)
          entries += entries[Int(old) << 8..<Int(old + 1) << 8]
        }
        let place = Int(pages[page]) << 8
        for index in place + start...place + end { entries[index] = change(entries[index]) }
        if isWhole && sharedPages.contains(old) {
          changedPages[old] = pages[page]
          sharedPages.insert(pages[page])
        }
      }
    }
  }
}
