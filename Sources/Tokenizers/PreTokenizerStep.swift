/// A pre-tokenizer of a `tokenizer.json`, by its name there: cuts a text into the parts that the
/// model sees one by one.
enum PreTokenizerStep: Sendable {
  /// White space is dropped, punctuation stands alone.
  case bert
  /// `\w+|[^\w\s]+`.
  case whitespace
  case whitespaceSplit
  case punctuation(Behavior)
  case digits(each: Bool)
  case metaspace(Metaspace)
  case byteLevel(addsPrefixSpace: Bool, splits: Bool)
  case split(on: [UInt32], Behavior)
  /// At the ends of Llama 3's words.
  case llamaWords

  /// What becomes of the delimiters at which a text is split.
  enum Behavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
  }

  struct Metaspace: Sendable, Equatable {
    enum Scheme: String, Sendable { case always, never, first }
    /// Stands for a space, and before a text.
    var replacement: UInt32
    var prepends: Scheme
    var splits: Bool
  }

  /// A part of a text, and whether it is a delimiter.
  typealias Part = (range: Range<Int>, isDelimiter: Bool)

  /// - Parameter beginsInWord: whether the first split goes on with a word of the text before.
  func apply(
    to text: inout AlignedText, _ splits: inout [Range<Int>], _ beginsInWord: Bool = false
  ) {
    let classes = CharacterClasses.shared
    switch self {
    case .bert:
      split(text, &splits, .removed) { classes.whiteSpace.contains($0) }
      split(text, &splits, .isolated) { classes.punctuation.contains($0) }
    case .whitespace:
      split(text, &splits, .removed) { classes.whiteSpace.contains($0) }
      split(text, &splits, .contiguous) { !classes.word.contains($0) }
    case .whitespaceSplit:
      split(text, &splits, .removed) { classes.whiteSpace.contains($0) }
    case .punctuation(let behavior):
      split(text, &splits, behavior) { classes.punctuation.contains($0) }
    case .digits(let each):
      split(text, &splits, each ? .isolated : .contiguous) { classes.numeric.contains($0) }
    case .metaspace(let metaspace):
      metaspace.replace(in: &text, &splits, beginsInWord)
      if metaspace.splits {
        split(text, &splits, .mergedWithNext) { $0 == metaspace.replacement }
      }
    case .byteLevel(let addsPrefixSpace, let isSplitting):
      Self.toBytes(&text, &splits, addsPrefixSpace, isSplitting, beginsInWord)
    case .split(let pattern, let behavior):
      splits = splits.flatMap { Self.join(Self.parts(text, $0, pattern), behavior) }
    case .llamaWords:
      splits = splits.flatMap { split in
        var words: [Range<Int>] = []
        var start = split.lowerBound
        while start < split.upperBound {
          let end = LlamaWords.wordEnd(text.scalars, start, split.upperBound)
          words.append(start..<end)
          start = end
        }
        return words
      }
    }
  }

  /// Splits at GPT-2's words, and writes their bytes in its alphabet.
  private static func toBytes(
    _ text: inout AlignedText, _ splits: inout [Range<Int>], _ addsPrefixSpace: Bool,
    _ isSplitting: Bool, _ beginsInWord: Bool
  ) {
    var result = AlignedText()
    var ranges: [Range<Int>] = []
    for split in splits where !split.isEmpty {
      var part = AlignedText()
      let isContinued = beginsInWord && ranges.isEmpty
      if addsPrefixSpace && !isContinued && text.scalars[split.lowerBound] != 0x20 {
        part.append(0x20, text.sources[split.lowerBound])
      }
      part.append(text, split)
      var index = 0
      while index < part.count {
        let start = result.count
        let end =
          isSplitting ? ByteLevel.wordEnd(part.scalars, index, part.count) : part.count
        var bytes: [UInt8] = []
        while index < end {
          bytes.removeAll(keepingCapacity: true)
          UTF8Text.append(part.scalars[index], to: &bytes)
          for byte in bytes { result.append(ByteLevel.scalars[Int(byte)], part.sources[index]) }
          index += 1
        }
        ranges.append(start..<result.count)
      }
    }
    (text, splits) = (result, ranges)
  }

  /// Splits at single scalars.
  private func split(
    _ text: AlignedText, _ splits: inout [Range<Int>], _ behavior: Behavior,
    _ isDelimiter: (UInt32) -> Bool
  ) {
    splits = splits.flatMap { split in
      var parts: [Part] = []
      for index in split {
        let isDelimiter = isDelimiter(text.scalars[index])
        if !isDelimiter, let last = parts.last, !last.isDelimiter {
          parts[parts.count - 1].range = last.range.lowerBound..<index + 1
        } else {
          parts.append((index..<index + 1, isDelimiter))
        }
      }
      return Self.join(parts, behavior)
    }
  }

  /// Cut at each place where a pattern stands.
  private static func parts(
    _ text: AlignedText, _ split: Range<Int>, _ pattern: [UInt32]
  ) -> [Part] {
    var parts: [Part] = []
    var start = split.lowerBound
    var index = start
    while index < split.upperBound {
      if text.scalars[index..<split.upperBound].starts(with: pattern) {
        if start < index { parts.append((start..<index, false)) }
        start = index + pattern.count
        parts.append((index..<start, true))
        index = start
      } else {
        index += 1
      }
    }
    if start < split.upperBound { parts.append((start..<split.upperBound, false)) }
    return parts
  }

  private static func join(_ parts: [Part], _ behavior: Behavior) -> [Range<Int>] {
    switch behavior {
    case .removed: return parts.filter { !$0.isDelimiter }.map(\.range)
    case .isolated: return parts.map(\.range)
    case .contiguous:
      return joined(parts) { $0.isDelimiter == $1.isDelimiter }
    case .mergedWithPrevious:
      return joined(parts) { !$0.isDelimiter && $1.isDelimiter }
    case .mergedWithNext:
      return joined(parts) { $0.isDelimiter && !$1.isDelimiter }
    }
  }

  /// Neighbours are one where `isOne` says so.
  private static func joined(_ parts: [Part], _ isOne: (Part, Part) -> Bool) -> [Range<Int>] {
    var result: [Range<Int>] = []
    for (index, part) in parts.enumerated() {
      if index > 0, isOne(parts[index - 1], part), let last = result.popLast() {
        result.append(last.lowerBound..<part.range.upperBound)
      } else {
        result.append(part.range)
      }
    }
    return result
  }
}

extension PreTokenizerStep.Metaspace {
  /// Spaces become the replacement, and one more is put before each part as the scheme says.
  fileprivate func replace(
    in text: inout AlignedText, _ splits: inout [Range<Int>], _ beginsInWord: Bool
  ) {
    var result = AlignedText()
    var ranges: [Range<Int>] = []
    for split in splits where !split.isEmpty {
      let start = result.count
      let (first, source) = (text.scalars[split.lowerBound], text.sources[split.lowerBound])
      let isPrepended =
        switch beginsInWord && ranges.isEmpty ? .never : prepends {
        case .always: true
        case .never: false
        case .first: source.start == 0
        }
      if isPrepended && first != 0x20 && first != replacement { result.append(replacement, source) }
      for index in split {
        let scalar = text.scalars[index]
        result.append(scalar == 0x20 ? replacement : scalar, text.sources[index])
      }
      ranges.append(start..<result.count)
    }
    (text, splits) = (result, ranges)
  }
}
