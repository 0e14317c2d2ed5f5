import EncoderContract
import Testing

@testable import Tokenizers

/// What published folders have beside the model's own tokens, and numbers that decide ties.
@Suite struct AddedTokenTests {
  private static func tokens(
    _ text: String, _ added: [(String, left: Bool, right: Bool)]
  ) throws -> [String] {
    let tokens = added.enumerated().map { index, token in
      AddedTokens.Token(
        id: Int32(index), spelling: Array(token.0.utf8), stripsLeft: token.left,
        stripsRight: token.right)
    }
    let search = try AddedTokens(tokens)
    let bytes = Array(text.utf8)
    var (scan, start) = (0, 0)
    var found: [String] = []
    while let match = search.firstMatch(
      in: bytes.span, from: &scan, spacesFrom: start, before: bytes.count)
    {
      found.append("\(match.id):\(match.range.lowerBound)-\(match.range.upperBound)")
      start = match.range.upperBound
    }
    return found
  }

  /// The next token may begin in white space that one took along to its right, as in `tokenizers`.
  @Test func tokensBesideStripping() throws {
    #expect(
      try Self.tokens(
        "</s>  two  x", [("</s>", left: true, right: true), ("  two  ", left: false, right: false)])
        == ["0:0-6", "1:4-11"])
    #expect(
      try Self.tokens("a   b", [("a", left: false, right: true), (" ", left: false, right: false)])
        == ["0:0-4", "1:1-2", "1:2-3", "1:3-4"])
    #expect(
      try Self.tokens("a  b", [("a", left: false, right: true), ("b", left: true, right: false)])
        == ["0:0-3", "1:3-4"])
    #expect(
      try Self.tokens("a  b", [("a", left: false, right: true), ("  ", left: true, right: false)])
        == ["0:0-3"])
    #expect(try Self.tokens("   ", [(" ", left: true, right: true)]) == ["0:0-3"])
  }

  /// The same of those that are sought in normalised text.
  @Test func normalizedTokensBesideStripping() throws {
    let file = #"""
      {"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                 "max_input_chars_per_word": 100,
                 "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "x": 4}},
       "added_tokens": [
         {"id": 5, "content": " \u00a0", "rstrip": true, "normalized": true},
         {"id": 0, "content": "[PAD]", "normalized": false, "special": true}],
       "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                      "strip_accents": null, "lowercase": true},
       "pre_tokenizer": {"type": "BertPreTokenizer"},
       "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
       "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}}
      """#
    let tokenizer = try Tokenizer(json: Array(file.utf8))
    let ids = try tokenizer.tokenize(.single("x\t   x"), maxTokens: 20).sequence.ids
    #expect(ids == [2, 4, 5, 5, 4, 3])
  }

  /// At most an ulp off the nearest float64.
  @Test(arguments: [
    ("-9.2345678901234567890123", -9.234567890123457), ("0", 0), ("-0.0", -0.0), ("12", 12),
    ("-1.5e3", -1500), ("2E-3", 0.002), ("123456789012345678901234", 1.2345678901234568e23),
    ("1e-320", 2024 * Double.leastNonzeroMagnitude), ("0.1", 0.1),
  ])
  func scores(_ text: String, _ expected: Double) {
    let value = UnigramScore.value(Array(text.utf8))
    #expect(
      value.map { abs($0 - expected) <= expected.ulp } == true, "\(String(describing: value))")
    #expect(value?.sign == expected.sign)
  }

  @Test(arguments: ["1e309", "1e99999999999999999999", "-1e400", "1x"])
  func scoresBeyondFloat64(_ text: String) {
    #expect(UnigramScore.value(Array(text.utf8)) == nil)
  }

  /// An ulp off, as `tokenizers` has it.
  @Test func scoresAreReadTheQuickWay() {
    let value = UnigramScore.value(Array("-14.749025001914195".utf8))
    #expect(value == -0x1.d7f80347e3733p+3 && value != -14.749025001914195)
  }

  /// RoBERTa's two files say what its `tokenizer.json` says.
  @Test func vocabularyAndMerges() throws {
    let vocabulary = byteVocabulary
    let merges = "#version: 0.2\nh e\nl l\nhe ll\n\u{120} x\n"
    var specials = SpecialTokens.roberta
    specials.stripsLeft = ["<mask>"]
    let tokenizer = try Tokenizer(
      bytePairVocabulary: Array(vocabulary.utf8), merges: Array(merges.utf8),
      specialTokens: specials)
    let ids = try tokenizer.tokenize(.single("hello x <mask>"), maxTokens: 20).sequence.ids
    // <s> hell o Gx <mask> </s>: the mask is not in vocab.json, and comes after it.
    #expect(ids == [0, 262, 82, 263, 264, 2])
    #expect(throws: TokenizerFileError.self) {
      try Tokenizer(
        bytePairVocabulary: Array(vocabulary.utf8), merges: Array("h z".utf8),
        specialTokens: specials)
    }
  }

  /// Four special tokens, the alphabet of bytes, and four merged tokens.
  private var byteVocabulary: String {
    var tokens = ["<s>", "<pad>", "</s>", "<unk>"]
    tokens += ByteLevel.scalars.sorted().compactMap { Unicode.Scalar($0).map { String($0) } }
    tokens += ["he", "ll", "hell", "\u{120}x"]
    let members = tokens.enumerated().map { index, token in
      let name = token == "\"" || token == "\\" ? "\\" + token : token
      return "\"\(name)\": \(index)"
    }
    return "{" + members.joined(separator: ", ") + "}"
  }
}
