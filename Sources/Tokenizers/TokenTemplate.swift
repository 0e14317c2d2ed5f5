/// The special tokens round a text or a pair, and the types of all.
struct TokenTemplate: Sendable, Equatable {
  enum Piece: Sendable, Equatable {
    case token(Int32, type: Int32)
    /// The text, 0, or the second one of a pair, 1.
    case text(Int, type: Int32)
  }

  /// `[CLS] A [SEP]`: one text.
  var single: [Piece]
  /// `[CLS] A [SEP] B:1 [SEP]:1`: the first text, then the second.
  var pair: [Piece]

  /// BERT's.
  init(classification: Int32, separator: Int32) {
    single = [
      .token(classification, type: 0), .text(0, type: 0), .token(separator, type: 0),
    ]
    pair = single + [.text(1, type: 1), .token(separator, type: 1)]
  }

  /// RoBERTa's: `<s> A </s></s> B </s>`, all of type 0.
  init(robertaStart start: Int32, end: Int32) {
    single = [.token(start, type: 0), .text(0, type: 0), .token(end, type: 0)]
    pair = single + [.token(end, type: 0), .text(1, type: 0), .token(end, type: 0)]
  }

  init(single: [Piece], pair: [Piece]) {
    self.single = single
    self.pair = pair
  }

  /// The highest token type of the pieces.
  static func highestType(_ pieces: [Piece]) -> Int32 {
    pieces.reduce(0) { highest, piece in
      switch piece {
      case .token(_, let type), .text(_, let type): max(highest, type)
      }
    }
  }

  /// Tokens besides those of the texts.
  static func frameCount(_ pieces: [Piece]) -> Int {
    pieces.count { if case .token = $0 { true } else { false } }
  }
}
