import EncoderContract
import Testing
import Tokenizers

/// Token by token what TensorFlow Text answered: make_tensorflow_fixtures.py.
@Suite struct TensorFlowTests {
  struct Row: Decodable {
    struct Case: Decodable {
      var text: String
      var ids: [Int32]
    }
    struct Pair: Decodable {
      var texts: [String]
      var limit: Int
      var ids: [Int32]
      var types: [Int32]
    }
    var lowercase: Bool
    var cases: [Case]
    var pairs: [Pair]
    var hashes: [String]

    func tokenizer() throws -> Tokenizer {
      try Tokenizer(
        vocabulary: Support.vocabulary.get(), options: BERTOptions(lowercase: lowercase),
        rules: .tensorFlow)
    }
  }

  @Test func texts() throws {
    for row in try Support.fixture("tensorflow") as [Row] {
      let tokenizer = try row.tokenizer()
      #expect(row.cases.count > 100)
      for expected in row.cases {
        let answer = try tokenizer.tokenize(
          .single(expected.text), maxTokens: 1000, withSources: true)
        #expect(answer.sequence.ids == [101] + expected.ids + [102], "\(expected.text.debug)")
        let bytes = Array(expected.text.utf8) + [0]
        var last = 0
        for source in answer.sources.compactMap(\.self) {
          let range = source.bytes
          #expect(range.lowerBound >= last && !range.isEmpty, "\(expected.text.debug)")
          #expect(bytes[range.lowerBound] & 0xC0 != 0x80 && bytes[range.upperBound] & 0xC0 != 0x80)
          last = range.lowerBound
        }
      }
    }
  }

  @Test func pairsAreTrimmedInTurn() throws {
    let row = try #require((try Support.fixture("tensorflow") as [Row]).first)
    let tokenizer = try row.tokenizer()
    #expect(row.pairs.count == 200)
    for pair in row.pairs {
      let answer = try tokenizer.tokenize(
        .pair(pair.texts[0], pair.texts[1]), maxTokens: pair.limit)
      #expect(answer.sequence.ids == pair.ids, "\(pair)")
      #expect(answer.sequence.typeIDs == pair.types, "\(pair)")
    }
  }

  @Test(arguments: [0, 1]) func everyScalar(_ index: Int) throws {
    let row = (try Support.fixture("tensorflow") as [Row])[index]
    try ScalarTests.expect(row.hashes, of: row.tokenizer())
  }
}
