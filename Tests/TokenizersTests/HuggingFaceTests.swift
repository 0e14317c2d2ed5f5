import EncoderContract
import Testing

@testable import Tokenizers

/// Token by token and byte by byte what Hugging Face's `tokenizers` answered: make_fixtures.py.
@Suite struct HuggingFaceTests {
  struct TextRow: Decodable {
    struct Case: Decodable {
      var text: String
      var ids: [Int32]
      var bytes: [Int]
    }
    var options: String
    var cases: [Case]
  }

  @Test func textsUnderEveryOption() throws {
    let rows: [TextRow] = try Support.fixture("texts")
    #expect(rows.count == 24)
    for row in rows {
      let tokenizer = try Support.tokenizer(row.options)
      #expect(row.cases.count > 30)
      for expected in row.cases {
        let input = TokenizerInput.single(expected.text)
        let answer = try tokenizer.tokenize(input, maxTokens: 1000, withSources: true)
        #expect(answer.sequence.ids == expected.ids, "\(row.options) \(expected.text.debug)")
        #expect(answer.offsets == expected.bytes, "\(row.options) \(expected.text.debug)")
        #expect(answer.sources.map { $0 == nil } == expected.isFrame)
        #expect(answer.sequence.typeIDs.allSatisfy { $0 == 0 } && !answer.truncated)
        let plain = try tokenizer.tokenize(input, maxTokens: 1000)
        #expect(plain.sequence == answer.sequence && plain.sources.isEmpty)
      }
    }
  }

  struct TruncationRow: Decodable {
    var texts: [String]
    var limit: Int
    var left: Bool
    var padTo: Int?
    var ids: [Int32]
    var types: [Int32]
    var attended: Int
    var count: Int
  }

  @Test func truncationAndPadding() throws {
    let tokenizer = try Support.tokenizer()
    let rows: [TruncationRow] = try Support.fixture("truncations")
    #expect(rows.count > 200)
    for row in rows {
      let input =
        row.texts.count == 1
        ? TokenizerInput.single(row.texts[0]) : .pair(row.texts[0], row.texts[1])
      let answer = try tokenizer.tokenize(
        input, maxTokens: row.limit, truncation: row.left ? .left : .right, padTo: row.padTo,
        withSources: true)
      let expected = TokenSequence(
        ids: row.ids, typeIDs: row.types, attendedCount: row.attended)
      #expect(answer.sequence == expected, "\(row)")
      #expect(answer.truncated == (row.count > row.limit), "\(row)")
      #expect(answer.sources.count == row.ids.count)
      for (source, type) in zip(answer.sources, row.types) {
        #expect(source == nil || source?.part == Int(type))
      }
      guard row.count > row.limit else { continue }
      #expect(throws: TokenizerError.tooLong(count: row.count, limit: row.limit)) {
        try tokenizer.tokenize(input, maxTokens: row.limit, truncation: .error)
      }
    }
  }

  struct WordsRow: Decodable {
    var options: String
    var words: [String]
    var ids: [Int32]
    var parts: [Int]
    var bytes: [Int]
  }

  @Test func listsOfWords() throws {
    let rows: [WordsRow] = try Support.fixture("words")
    for row in rows {
      let answer = try Support.tokenizer(row.options).tokenize(
        .words(row.words), maxTokens: 1000, withSources: true)
      #expect(answer.sequence.ids == row.ids, "\(row.words)")
      #expect(answer.sources.compactMap { $0?.part } == row.parts, "\(row.words)")
      #expect(answer.offsets == row.bytes, "\(row.words)")
    }
  }

  struct DecodingRow: Decodable {
    var ids: [Int32]
    var skipped: String
    var whole: String
  }

  @Test func decoding() throws {
    let tokenizer = try Support.tokenizer()
    let rows: [DecodingRow] = try Support.fixture("decodings")
    for row in rows {
      #expect(tokenizer.decode(row.ids).utf8.elementsEqual(row.skipped.utf8))
      let whole = tokenizer.decode(row.ids, skipSpecialTokens: false)
      #expect(whole.utf8.elementsEqual(row.whole.utf8))
    }
  }
}

extension Tokenization {
  /// Start and stop of each token that comes from the text, as the fixtures have them.
  var offsets: [Int] {
    sources.flatMap { $0.map { [$0.bytes.lowerBound, $0.bytes.upperBound] } ?? [] }
  }
}

extension HuggingFaceTests.TextRow.Case {
  var isFrame: [Bool] { ids.indices.map { $0 == 0 || $0 == ids.count - 1 } }
}

extension String {
  /// Every scalar beyond printable ASCII by its number.
  var debug: String { unicodeScalars.map { $0.escaped(asASCII: true) }.joined() }
}
