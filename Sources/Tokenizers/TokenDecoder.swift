/// How tokens are put together to text again: the decoder of a `tokenizer.json`.
enum TokenDecoder: Sendable, Equatable {
  /// A space before each token that begins a word, but for punctuation that leans on the word
  /// before it, if `cleansUp`.
  case wordPiece(prefix: String, cleansUp: Bool)
  /// A space for each replacement; none before the first token, if `dropsFirst`.
  case metaspace(replacement: UInt32, dropsFirst: Bool)
  /// The bytes that all tokens stand for, what is no UTF-8 replaced by U+FFFD.
  case byteLevel
  /// A space between tokens: where there is no decoder.
  case spaces

  func text(of tokens: some Sequence<String>) -> String {
    if self == .byteLevel {
      return String(decoding: tokens.flatMap(ByteLevel.bytes), as: UTF8.self)
    }
    var text = ""
    for (index, token) in tokens.enumerated() {
      switch self {
      case .wordPiece(let prefix, let cleansUp):
        if index == 0 {
          text = token
        } else if token.utf8.starts(with: prefix.utf8) {
          text += String(decoding: token.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        } else {
          let isLeaning = cleansUp && Self.leaning.contains { token.utf8.starts(with: $0.utf8) }
          text += isLeaning ? token : " " + token
        }
      case .metaspace(let replacement, let dropsFirst):
        for scalar in token.unicodeScalars {
          if scalar.value != replacement {
            text.unicodeScalars.append(scalar)
          } else if index > 0 || !dropsFirst {
            text += " "
          }
        }
      case .byteLevel, .spaces:
        text += index == 0 ? token : " " + token
      }
    }
    return text
  }

  private static let leaning = [".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"]
}
