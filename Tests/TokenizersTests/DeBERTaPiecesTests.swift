import EncoderContract
import Testing

@testable import Tokenizers

/// The tokens that `DebertaV2Tokenizer` adds to a SentencePiece model's pieces, and its steps; that the
/// steps are transformers' is shown by test_sentencepiece.py.
@Suite struct DeBERTaPiecesTests {
  private static let pieces = [
    SentencePiece(text: "[PAD]", score: 0, isControl: true),
    SentencePiece(text: "[CLS]", score: 0, isControl: true),
    SentencePiece(text: "[SEP]", score: 0, isControl: true),
    SentencePiece(text: "[UNK]", score: 0, isUnknown: true),
    SentencePiece(text: "▁a", score: -1), SentencePiece(text: "a", score: -2),
    SentencePiece(text: ",", score: -3), SentencePiece(text: "▁", score: -4),
    SentencePiece(text: "A", score: -5), SentencePiece(text: "é", score: -6),
    SentencePiece(text: "<0x41>", score: 0), SentencePiece(text: "▁a,", score: -1.5),
  ]
  private static let plain = AddedTokenFlags(
    stripsLeft: false, stripsRight: false, singleWord: false, isNormalized: false)

  private static func tokenizer(
    lowercases: Bool = false, splitsPunctuation: Bool = false, addsPrefixSpace: Bool = true,
    special: SpecialTokens? = nil, unknown: Int? = nil, listed: [ListedToken] = [],
    named: [String: AddedTokenFlags?] = [:]
  ) throws(TokenizerFileError) -> Tokenizer {
    // A map that is not read.
    try Tokenizer(
      pieces: pieces, characterMap: [1],
      as:
        .deberta(lowercases: lowercases, splitsPunctuation: splitsPunctuation),
      specialTokens: special, unknown: unknown, addsPrefixSpace: addsPrefixSpace, listed: listed,
      named: named)
  }

  private static func ids(_ text: String, _ tokenizer: Tokenizer) throws -> [Int32] {
    try tokenizer.tokenize(.single(text), maxTokens: 100).sequence.ids
  }

  @Test(
    arguments: [
      ("", [1, 2]), ("a", [1, 4, 2]), ("a a,", [1, 4, 11, 2]), ("  a\n\na\t", [1, 4, 4, 2]),
      ("aa A", [1, 4, 5, 7, 8, 2]), ("e\u{301}", [1, 7, 9, 2]), ("zz", [1, 7, 3, 2]),
      ("a[MASK]a [mask]", [1, 4, 12, 4, 7, 3, 5, 3, 2]), ("<0x41>", [1, 7, 10, 2]),
      ("[CLS][UNK]a", [1, 1, 3, 4, 2]),
    ] as [(String, [Int32])])
  func steps(_ text: String, _ ids: [Int32]) throws {
    let tokenizer = try Self.tokenizer()
    #expect(try Self.ids(text, tokenizer) == ids)
    #expect(tokenizer.vocabulary.count == 13 && tokenizer.unknownID == 3)
    #expect(tokenizer.vocabulary.token(12) == "[MASK]")
  }

  @Test func options() throws {
    #expect(try Self.ids("A", Self.tokenizer(lowercases: true)) == [1, 4, 2])
    #expect(try Self.ids("a,", Self.tokenizer(splitsPunctuation: true)) == [1, 4, 7, 6, 2])
    let first = try Self.tokenizer(addsPrefixSpace: false)
    #expect(try Self.ids("a[MASK]a", first) == [1, 4, 12, 5, 2])
  }

  /// Tokens that are no pieces have the ids after those: listed ones first, then the special ones in
  /// the order of transformers, then others.
  @Test func addedTokens() throws {
    var special = SpecialTokens()
    (special.classification, special.mask, special.unknown) = ("<c>", "é", "<u>")
    special.others = ["<b>", "[SEP]"]
    let listed = [
      ListedToken(name: "a", flags: Self.plain, id: 5),
      ListedToken(name: "new", flags: Self.plain, id: 12),
    ]
    let tokenizer = try Self.tokenizer(
      special: special, unknown: 7, listed: listed, named: ["<x>": nil, "<c>": nil])
    let names = (12..<17).map { tokenizer.vocabulary.token($0) }
    #expect(names == ["new", "<b>", "<u>", "<c>", "<x>"] && tokenizer.vocabulary.count == 17)
    #expect(tokenizer.unknownID == 7)
    #expect(try Self.ids("<x>newé z", tokenizer) == [15, 16, 12, 9, 7, 2])
  }

  @Test func refusals() throws {
    func message(_ made: () throws(TokenizerFileError) -> Tokenizer) -> String {
      do throws(TokenizerFileError) {
        _ = try made()
        return "none"
      } catch {
        return "\(error)"
      }
    }
    let far = [ListedToken(name: "new", flags: Self.plain, id: 14)]
    #expect(
      message { () throws(TokenizerFileError) -> Tokenizer in try Self.tokenizer(listed: far) }
        .hasPrefix("the added token \"new\" must have the id 12"))
    let long = [ListedToken(name: String(repeating: "x", count: 2000), flags: Self.plain, id: 12)]
    #expect(
      message { () throws(TokenizerFileError) -> Tokenizer in try Self.tokenizer(listed: long) }
        .hasSuffix("must have 1 to \(TokenTrie.longest) bytes"))
    let several: [String: AddedTokenFlags?] = ["<x>": nil, "<y>": nil]
    #expect(
      message { () throws(TokenizerFileError) -> Tokenizer in try Self.tokenizer(named: several) }
        .contains("more than one without an id in added_tokens_decoder"))
    var special = SpecialTokens()
    special.unknown = "<u>"
    for unknown in [nil, 12] {
      #expect(
        message { () throws(TokenizerFileError) -> Tokenizer in
          try Self.tokenizer(special: special, unknown: unknown)
        }.hasPrefix("trainer_spec.unk_id must be the id of one of the model's 12 pieces"))
    }
  }
}
