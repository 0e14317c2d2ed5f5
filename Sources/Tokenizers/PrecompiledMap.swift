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

  /// What the shortest beginning of `bytes` that has an entry becomes; nil if none has one.
  private func text(for bytes: some Sequence<UInt8>) -> [UInt32]? {
    func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 1 << 9) >> 6)) }
    var place = offset(units[0])
    for byte in bytes {
      place ^= Int(byte)
      guard byte != 0, place < units.count, units[place] & (1 << 31 | 0xFF) == UInt32(byte) else {
        return nil
      }
      let unit = units[place]
      place ^= offset(unit)
      guard unit >> 8 & 1 == 1 else { continue }
      guard place < units.count else { return nil }
      let start = Int(units[place] & (1 << 31 - 1))
      guard start <= texts.count else { return nil }
      return String(decoding: texts[start...].prefix { $0 != 0 }, as: UTF8.self)
        .unicodeScalars.map(\.value)
    }
    return nil
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
