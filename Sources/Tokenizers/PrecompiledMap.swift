/// SentencePiece's `precompiled_charsmap`: what each character, or a few in a row, become.
///
/// A double-array trie (darts-clone) of UTF-8, and the texts that its values point to, each ended
/// by a zero byte. Source: sentencepiece `normalizer.cc`, `darts.h`.
struct PrecompiledMap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]

  /// - Parameter bytes: the trie's size in bytes (32 bits, little-endian), the trie, the texts.
  /// - Returns: nil if the sizes do not fit.
  init?(_ bytes: [UInt8]) {
    func word(_ index: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << UInt32(8 * $1) }
    }
    guard bytes.count >= 8 else { return nil }
    let size = Int(word(0))
    guard size % 4 == 0, size >= 4, size <= bytes.count - 4 else { return nil }
    units = stride(from: 4, to: 4 + size, by: 4).map(word)
    texts = Array(bytes[(4 + size)...])
    // A text stands for one character: Unicode's longest compatibility mapping has 18 scalars.
    guard String(validating: texts, as: UTF8.self) != nil,
      texts.split(separator: 0).allSatisfy({ $0.count <= 256 })
    else { return nil }
  }

  /// The most bytes of a key: looking for the longest one takes so many steps at each byte of a text.
  private static let maximumKeySize = 256

  private static func offset(_ unit: UInt32) -> Int {
    Int((unit >> 10) << ((unit & 1 << 9) >> 6))
  }

  private var root: Int { Self.offset(units[0]) }

  /// Goes on by a byte of a key.
  ///
  /// - Returns: whether a key ends here, and its value is at `place`; nil if none goes on so.
  private func step(_ place: inout Int, _ byte: UInt8) -> Bool? {
    place ^= Int(byte)
    guard byte != 0, place < units.count, units[place] & (1 << 31 | 0xFF) == UInt32(byte) else {
      return nil
    }
    let unit = units[place]
    place ^= Self.offset(unit)
    return unit >> 8 & 1 == 1
  }

  /// The text of a value.
  private func text(at place: Int) -> [UInt32]? {
    guard place < units.count else { return nil }
    let start = Int(units[place] & (1 << 31 - 1))
    guard start <= texts.count else { return nil }
    return String(decoding: texts[start...].prefix { $0 != 0 }, as: UTF8.self)
      .unicodeScalars.map(\.value)
  }

  /// What the shortest beginning of `bytes` that has an entry becomes; nil if none has one.
  private func text(for bytes: some Sequence<UInt8>) -> [UInt32]? {
    var place = root
    for byte in bytes {
      guard let isKey = step(&place, byte) else { return nil }
      if isKey { return text(at: place) }
    }
    return nil
  }

  /// The end of the longest key that `bytes` has at `start`, and what it becomes.
  func longestKey(
    in bytes: borrowing Span<UInt8>, from start: Int
  ) -> (end: Int, text: [UInt32])? {
    var place = root
    var longest: (end: Int, place: Int)?
    for index in start..<min(bytes.count, start + Self.maximumKeySize) {
      guard let isKey = step(&place, bytes[index]) else { break }
      if isKey { longest = (index + 1, place) }
    }
    guard let longest, let text = text(at: longest.place) else { return nil }
    return (longest.end, text)
  }

  /// The most beginnings of keys that `forEachKey` looks at; the map `nmt_nfkc` has 262,842.
  private static let maximumPrefixCount = 1 << 20

  /// Calls `body` with each key and what it becomes. Keys share the states of common endings.
  ///
  /// - Returns: false if a key is too long to be looked for, or there are too many.
  func forEachKey(_ body: ([UInt8], [UInt32]) -> Void) -> Bool {
    var pending: [(place: Int, key: [UInt8])] = [(root, [])]
    var followers: [Int: [(byte: UInt8, place: Int, isKey: Bool)]] = [:]
    var count = 0
    while let (state, key) = pending.popLast() {
      count += 1
      guard count <= Self.maximumPrefixCount else { return false }
      let next =
        followers[state]
        ?? (UInt8(1)...UInt8.max).compactMap { byte in
          var place = state
          return step(&place, byte).map { (byte, place, $0) }
        }
      followers[state] = next
      guard next.isEmpty || key.count < Self.maximumKeySize else { return false }
      for (byte, place, isKey) in next {
        if isKey, let text = text(at: place) { body(key + [byte], text) }
        pending.append((place, key + [byte]))
      }
    }
    return true
  }

  /// - Returns: whether what was dropped at the text's start moved the places of all that follows,
  ///   as it does in `tokenizers`.
  @discardableResult
  func apply(to text: inout AlignedText) -> Bool {
    var movesPlaces = false
    var changes: [AlignedText.Change] = []
    changes.reserveCapacity(text.count)
    var isChanged = false
    /// The last of too many outputs are new; the last one so far stands for too many inputs.
    func append(_ outputs: [UInt32], insteadOf count: Int) {
      isChanged = true
      let newCount = max(0, outputs.count - count)
      for (index, scalar) in outputs.enumerated() {
        changes.append(.init(scalar: scalar, count: index < outputs.count - newCount ? 0 : 1))
      }
      guard outputs.count < count else { return }
      if let last = changes.indices.last {
        changes[last].count += outputs.count - count
      } else {
        movesPlaces = true
      }
    }
    // Grapheme clusters, but only short ones: that is how `tokenizers` does it.
    for character in String(decoding: text.utf8().bytes, as: UTF8.self) {
      if character.utf8.count < 6, let outputs = self.text(for: character.utf8) {
        append(outputs, insteadOf: character.unicodeScalars.count)
        continue
      }
      for scalar in character.unicodeScalars {
        if let outputs = self.text(for: UTF8.encode(scalar)?.map(\.self) ?? []) {
          append(outputs, insteadOf: 1)
        } else {
          changes.append(.init(scalar: scalar.value, count: 0))
        }
      }
    }
    if isChanged { text.transform(changes) }
    return movesPlaces
  }
}
