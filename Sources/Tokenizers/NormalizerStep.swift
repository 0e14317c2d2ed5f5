/// A normaliser of a `tokenizer.json`, by its name there, or one of TensorFlow Text's.
enum NormalizerStep: Sendable {
  case bert(BERTOptions)
  case lowercase
  /// Canonical decomposition.
  case nfd
  /// Compatibility decomposition.
  case nfkd
  /// Canonical decomposition, and composition of what has a scalar together.
  case nfc
  /// Compatibility decomposition, and composition.
  case nfkc
  /// Drops every mark; `BertNormalizer` drops those without width.
  case stripAccents
  case strip(left: Bool, right: Bool)
  case replace(Pattern, with: [UInt32])
  case prepend([UInt32])
  case precompiled(PrecompiledMap)
  /// TensorFlow Text's NFD, and RE2's non-spacing marks dropped.
  case stripDiacritics
  /// TensorFlow Text's `case_fold_utf8`: NFKC_Casefold.
  case foldCase
  case sentencePiece(SentencePieceNormalizer)

  /// What `Replace` looks for.
  enum Pattern: Sendable, Equatable {
    case text([UInt32])
    /// ` {2,}`: two spaces or more.
    case spaces
    /// `\s+`.
    case whiteSpace
    /// `\s{2,}|[\n\r\t]`: two or more white-space characters, or one LF, CR or tab.
    case repeatedSpacesOrLineBreak
  }

  func apply(to text: inout AlignedText, _ part: TextPart) {
    let classes = CharacterClasses.shared
    switch self {
    case .bert(let options): Self.applyBERT(options, to: &text)
    case .lowercase: Self.lowercase(&text)
    case .nfd: Self.decompose(&text, .canonical)
    case .nfkd: Self.decompose(&text, .compatibility)
    case .nfc: Self.compose(&text, .canonical)
    case .nfkc: Self.compose(&text, .compatibility)
    case .stripAccents: text.removeAll { classes.marks.contains($0) }
    case .strip(let left, let right):
      let isKept = { !classes.whiteSpace.contains($0) }
      let start = left && part.isFirst ? text.scalars.firstIndex(where: isKept) ?? text.count : 0
      let end =
        right && part.isLast
        ? text.scalars.lastIndex(where: isKept).map { $0 + 1 } ?? start : text.count
      text.keep(start..<max(start, end))
    case .replace(let pattern, let replacement): pattern.replace(with: replacement, in: &text)
    case .prepend(let prefix):
      guard part.isFirst, text.count > 0 else { return }
      var result = AlignedText()
      for scalar in prefix { result.append(scalar, text.sources[0]) }
      result.append(text, 0..<text.count)
      text = result
    case .precompiled(let map): map.apply(to: &text)
    case .stripDiacritics:
      Self.decompose(&text, .tensorFlow)
      text.removeAll(where: Self.diacritics.contains)
    case .foldCase:
      text.removeAll(where: Self.ignorables.contains)
      text.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
      Self.compose(&text, .tensorFlowFolded)
    case .sentencePiece(let normalizer): normalizer.apply(to: &text, part)
    }
  }

  private static let ignorables = CharacterClasses.Members(TensorFlowTables.removed)
  private static let diacritics = CharacterClasses.Members(
    TensorFlowTables.strippedMarks + TensorFlowTables.vanishing + TensorFlowTables.otherMarks,
    // These are marks only when they are folded.
    except: 0xFF9E...0xFF9F)

  private static func applyBERT(_ options: BERTOptions, to text: inout AlignedText) {
    let classes = CharacterClasses.shared
    if options.cleanText {
      text.removeAll { cleaning[$0].kind == .removed }
      text.map { classes.whiteSpace.contains($0) ? 0x20 : $0 }
    }
    if options.spacesAroundCJK {
      text.flatMap { scalar, put in
        let isApart = classes.ideographs.contains(scalar)
        if isApart { put(0x20) }
        put(scalar)
        if isApart { put(0x20) }
      }
    }
    if options.stripsAccents {
      decompose(&text, .canonical)
      text.removeAll { Decomposition.canonical.isMark($0) }
    }
    if options.lowercase { lowercase(&text) }
  }

  private static let cleaning: CharacterTable = {
    var options = BERTOptions.none
    options.cleanText = true
    return CharacterTable(huggingFace: options)
  }()

  private static let lowercasing: CharacterTable = {
    var options = BERTOptions.none
    options.lowercase = true
    return CharacterTable(huggingFace: options)
  }()

  private static func lowercase(_ text: inout AlignedText) {
    text.flatMap { scalar, put in
      lowercasing.forEachOutput(of: scalar, lowercasing[scalar], put)
    }
  }

  private static func decompose(
    _ text: inout AlignedText, _ decomposition: Decomposition
  ) {
    text.transform(changes(text, decomposition))
  }

  /// Each scalar of class 0 takes up the marks after it that no mark of their class, or a higher one,
  /// keeps from it (Unicode 3.11, D117).
  private static func compose(
    _ text: inout AlignedText, _ decomposition: Decomposition
  ) {
    var result: [AlignedText.Change] = []
    /// The index of the last scalar of class 0, and the class of the last mark after it that stayed.
    var base: Int?
    var lastClass: UInt8?
    for change in changes(text, decomposition) {
      let combiningClass = decomposition.combiningClass(of: change.scalar)
      if let base, lastClass.map({ $0 < combiningClass }) ?? true,
        let both = Decomposition.composition(of: result[base].scalar, change.scalar)
      {
        result[base].scalar = both
        result[base].count += change.count - 1
        continue
      }
      if combiningClass == 0 {
        base = result.count
        lastClass = nil
      } else if base != nil {
        lastClass = combiningClass
      }
      result.append(change)
    }
    text.transform(result)
  }

  /// Scalars are decomposed, then each run of marks put in the order of its classes.
  private static func changes(
    _ text: AlignedText, _ decomposition: Decomposition
  ) -> [AlignedText.Change] {
    var changes: [AlignedText.Change] = []
    changes.reserveCapacity(text.count)
    /// Marks since the last scalar of class 0, and their classes.
    var marks: [(change: AlignedText.Change, combiningClass: UInt8)] = []
    func endMarks() {
      if !marks.isEmpty {
        // The order of equals is kept.
        marks.sort { $0.combiningClass < $1.combiningClass }
        changes += marks.map(\.change)
        marks.removeAll(keepingCapacity: true)
      }
    }
    for scalar in text.scalars {
      var count = 0
      decomposition.forEachPart(of: scalar) { part in
        let change = AlignedText.Change(scalar: part, count: count)
        count = 1
        let combiningClass = part < 0x80 ? 0 : decomposition.combiningClass(of: part)
        if combiningClass == 0 {
          endMarks()
          changes.append(change)
        } else {
          marks.append((change, combiningClass))
        }
      }
    }
    endMarks()
    return changes
  }
}

extension ArraySlice<NormalizerStep> {
  /// Takes the first step away if it is the wanted one.
  ///
  /// - Returns: whether it was.
  mutating func takeFirst(if isWanted: (NormalizerStep) -> Bool) -> Bool {
    guard let first, isWanted(first) else { return false }
    removeFirst()
    return true
  }
}

extension NormalizerStep.Pattern {
  /// The replacement takes the place of the last scalar that it replaces.
  fileprivate func replace(with replacement: [UInt32], in text: inout AlignedText) {
    var result = AlignedText()
    var index = 0
    while index < text.count {
      let end = index + matchCount(text.scalars, at: index)
      if end > index {
        for scalar in replacement { result.append(scalar, text.sources[end - 1]) }
        index = end
      } else {
        result.append(text, index..<index + 1)
        index += 1
      }
    }
    text = result
  }

  /// How many scalars match from an index on; 0 if none do.
  private func matchCount(_ scalars: [UInt32], at index: Int) -> Int {
    func run(_ isMember: (UInt32) -> Bool) -> Int {
      var end = index
      while end < scalars.count, isMember(scalars[end]) { end += 1 }
      return end - index
    }
    switch self {
    case .text(let pattern):
      return scalars[index...].starts(with: pattern) ? pattern.count : 0
    case .spaces:
      let count = run { $0 == 0x20 }
      return count > 1 ? count : 0
    case .whiteSpace:
      return run { CharacterClasses.shared.whiteSpace.contains($0) }
    case .repeatedSpacesOrLineBreak:
      let count = run { CharacterClasses.shared.whiteSpace.contains($0) }
      switch (count, scalars[index]) {
      case (2..., _), (1, 0x09), (1, 0x0A), (1, 0x0D): return count
      default: return 0
      }
    }
  }
}
