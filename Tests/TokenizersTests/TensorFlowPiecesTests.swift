import EncoderContract
import FoundationEssentials
import TestSupport
import Testing

@testable import Tokenizers

/// SentencePiece as TensorFlow Text runs it. The ids are those that TensorFlow Text 2.15 gives for these pieces
/// (`Fixtures/tensorflow_pieces.py`); whole exports are in test_tensorflow_sentencepiece.py.
@Suite struct TensorFlowPiecesTests {
  private static let pieces = [
    SentencePiece(text: "<pad>", score: 0, isControl: true),
    SentencePiece(text: "<unk>", score: 0, isUnknown: true),
    SentencePiece(text: "[CLS]", score: 0, isControl: true),
    SentencePiece(text: "[SEP]", score: 0, isControl: true),
    SentencePiece(text: "▁", score: -1), SentencePiece(text: "x", score: -1e6),
    SentencePiece(text: "ab", score: -0.98), SentencePiece(text: "a", score: -0.4),
    SentencePiece(text: "b", score: -0.59),
    SentencePiece(text: "cd", score: -9, isUserDefined: true),
    SentencePiece(text: "c", score: -2), SentencePiece(text: "d", score: -2),
    SentencePiece(text: "fi", score: -3), SentencePiece(text: "fia", score: -1, isUnused: true),
    SentencePiece(text: "▁x", score: -2e6), SentencePiece(text: "á", score: -4),
    SentencePiece(text: "e", score: -3),
  ]

  private static func tokenizer(
    strips: Bool = false, folds: Bool = false, more: [SentencePiece] = []
  ) throws -> Tokenizer {
    try Tokenizer(
      tensorFlow: pieces + more, characterMap: characterMap("charsmap"), stripsDiacritics: strips,
      lowercases: folds)
  }

  private static func characterMap(_ name: String) throws -> [UInt8] {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/\(name).txt")
    let text = try String(contentsOf: file, encoding: .utf8).filter { !$0.isNewline }
    return Array(try #require(Data(base64Encoded: text)))
  }

  /// By SentencePiece's trainer of the rules 1xx2 → Z and 1бб2 → Z (`normalization_rule_tsv`), whose common
  /// ending is one state: what depends on the scalars before it is known of both.
  @Test func keysThatShareAnEnding() throws {
    let normalizer = try SentencePieceNormalizer(
      characterMap: Self.characterMap("charsmap_shared"), kept: ([], []))
    #expect(normalizer.patterns == Set("xб2".unicodeScalars.map(\.value)))
  }

  private static func ids(_ text: String, _ tokenizer: Tokenizer) throws -> [Int32] {
    Array(try tokenizer.tokenize(.single(text), maxTokens: 100).sequence.ids.dropFirst().dropLast())
  }

  @Test(
    arguments: [
      // With sums in float64 this would be "ab" after "x" too.
      ("ab", [4, 6]), ("xab", [4, 5, 7, 8]), (" ab  ba ", [4, 6, 4, 8, 7]),
      ("xxxabababab", [4, 5, 5, 5, 6, 6, 6, 6]),
      // User-defined and unused pieces.
      ("cd c d ccd", [4, 9, 4, 10, 4, 11, 4, 10, 9]), ("ﬁa", [4, 12, 7]),
      ("[CLS]", [4, 1]), ("<unk>qq", [4, 1]), ("qq qzq", [4, 1, 4, 1]),
      ("", []), ("  ", []), ("▁", []), ("a▁▁b ▁", [4, 7, 4, 4, 8]),
    ] as [(String, [Int32])])
  func texts(_ text: String, _ ids: [Int32]) throws {
    #expect(try Self.ids(text, Self.tokenizer()) == ids)
  }

  @Test func options() throws {
    let text = "a\u{301} á Á ＡＢ"
    #expect(try Self.ids(text, Self.tokenizer()) == [4, 7, 1, 4, 15, 4, 1, 4, 1])
    #expect(try Self.ids(text, Self.tokenizer(strips: true)) == [4, 7, 4, 7, 4, 1, 4, 1])
    #expect(try Self.ids(text, Self.tokenizer(folds: true)) == [4, 15, 4, 15, 4, 15, 4, 6])
    #expect(
      try Self.ids(text, Self.tokenizer(strips: true, folds: true)) == [4, 7, 4, 7, 4, 7, 4, 6])
  }

  @Test func missingTokens() {
    #expect(throws: TokenizerFileError.missing(token: "[SEP]")) {
      try Tokenizer(
        tensorFlow: Self.pieces.filter { $0.text != "[SEP]" }, characterMap: [],
        stripsDiacritics: true, lowercases: true)
    }
    #expect(throws: TokenizerFileError.self) {
      try Tokenizer(
        tensorFlow: Self.pieces, characterMap: [1], stripsDiacritics: true, lowercases: true)
    }
  }

  /// Cut wherever it may be, a text has the tokens that it has as a whole, also where a user-defined piece
  /// reaches over letters or a space.
  @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
  func partsChangeNothing(_ strips: Bool, _ folds: Bool) throws {
    let more = [
      SentencePiece(text: "bab", score: 0, isUserDefined: true),
      SentencePiece(text: "d c", score: 0, isUserDefined: true),
    ]
    let parts = [
      "a", "b", "ab", "abab", "cd", " ", "  ", "\n", "\u{AD}", "\u{301}", "é", "▁", "ﬁa", "x", "中文",
      "ＡＢ",
      "caaab", "dddd", "д", "дд", "АБ", "d c", "\u{3000}", "가", "ㅏ", "1234", "...",
    ]
    for pieces in [[], more] {
      let whole = {
        var tokenizer = $0
        tokenizer.partSize = .max / 4
        return tokenizer
      }(try Self.tokenizer(strips: strips, folds: folds, more: pieces))
      var cut = whole
      cut.partSize = 1
      var generator = SeededGenerator()
      for _ in 0..<500 {
        let text = (0..<Int.random(in: 1...40, using: &generator)).reduce(into: "") { text, _ in
          text += parts.randomElement(using: &generator) ?? ""
        }
        let limit = Int.random(in: 3...60, using: &generator)
        for side in [Truncation.left, .right] {
          #expect(
            try cut.tokenize(.single(text), maxTokens: limit, truncation: side, withSources: true)
              == whole.tokenize(
                .single(text), maxTokens: limit, truncation: side, withSources: true),
            "\(side) \(limit) \(text.debugDescription)")
        }
      }
    }
  }
}
