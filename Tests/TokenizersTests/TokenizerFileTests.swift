import EncoderContract
import TestSupport
import Testing

@testable import Tokenizers

/// Files of each kind: token by token, byte by byte and letter by letter what Hugging Face's
/// `tokenizers` answered (make_tokenizer_files.py).
@Suite struct TokenizerFileTests {
  struct Row: Decodable, CustomStringConvertible, Sendable {
    struct Case: Decodable, Sendable {
      var text: String
      var ids: [Int32]
      var bytes: [Int]
      var decoded: String
      var whole: String
    }
    var name: String
    var file: String
    var cases: [Case]
    var pair: [Int32]
    var pairTypes: [Int32]

    var description: String { name }
  }

  static let rows: [Row] = (try? Support.fixture("tokenizers")) ?? []

  @Test func kinds() { #expect(Self.rows.count == 24) }

  @Test(arguments: rows)
  func texts(_ row: Row) throws {
    let tokenizer = try Tokenizer(json: Array(row.file.utf8))
    #expect(row.cases.count > 50)
    for expected in row.cases {
      let input = TokenizerInput.single(expected.text)
      let answer = try tokenizer.tokenize(input, maxTokens: 5000, withSources: true)
      #expect(answer.sequence.ids == expected.ids, "\(expected.text.debug)")
      #expect(answer.offsets == expected.bytes, "\(expected.text.debug)")
      let plain = try tokenizer.tokenize(input, maxTokens: 5000)
      #expect(plain.sequence == answer.sequence, "\(expected.text.debug)")
      #expect(
        tokenizer.decode(expected.ids).utf8.elementsEqual(expected.decoded.utf8),
        "\(expected.text.debug)")
      #expect(
        tokenizer.decode(expected.ids, skipSpecialTokens: false).utf8
          .elementsEqual(expected.whole.utf8), "\(expected.text.debug)")
    }
    let pair = try tokenizer.tokenize(
      .pair("Improve the physical fitness of your goldfish by getting him a bicycle", "two  words"),
      maxTokens: 5000)
    #expect(pair.sequence.ids == row.pair)
    #expect(pair.sequence.typeIDs == row.pairTypes)
  }

  /// Cutting leaves whole tokens of the beginning, whatever the kind.
  @Test(arguments: rows)
  func truncation(_ row: Row) throws {
    let tokenizer = try Tokenizer(json: Array(row.file.utf8))
    let frame = try tokenizer.tokenize(.single(""), maxTokens: 5000).sequence.count
    for expected in row.cases.prefix(20) {
      for limit in [frame, frame + 1, frame + 5] where limit < expected.ids.count {
        let answer = try tokenizer.tokenize(
          .single(expected.text), maxTokens: limit, withSources: true)
        #expect(answer.truncated && answer.sequence.count == limit)
        #expect(answer.sequence.ids.dropLast() == expected.ids.prefix(limit - 1))
        let bytes = expected.bytes.prefix(answer.offsets.count)
        #expect(answer.offsets == Array(bytes), "\(expected.text.debug)")
      }
    }
  }

  /// Cut anywhere, or with any byte changed, a file makes a tokenizer or an error that says why.
  @Test(arguments: rows)
  func changedFiles(_ row: Row) throws {
    var random = SeededGenerator()
    let bytes = Array(row.file.utf8)
    for _ in 0..<15 {
      var changed = bytes
      if Bool.random(using: &random) {
        changed.removeLast(Int.random(in: 1...bytes.count, using: &random))
      } else {
        // Mostly where the words are few and the structure is.
        let place = Int.random(in: 0..<min(bytes.count, 3000), using: &random)
        changed[place] = UInt8.random(in: 32...126, using: &random)
      }
      do {
        let tokenizer = try Tokenizer(json: changed)
        _ = try? tokenizer.tokenize(.single(row.cases[5].text), maxTokens: 100, withSources: true)
      } catch {
        #expect(!"\(error)".isEmpty)
      }
    }
  }
}
