import EncoderContract
import JSON
import Testing
import Tokenizers
import UntrustedInput

@testable import Encoding
@testable import Protocols
@testable import Serving

@Suite struct PredictBodyTests {
  private func body(_ text: String) throws -> PredictBody {
    try PredictBody(Array(text.utf8), limits: .test, model: TestModel.make(), given: [:])
  }

  private func texts(_ text: String) throws -> [TokenizerInput] {
    try body(text).inputs.compactMap { if case .text(let input) = $0 { input } else { nil } }
  }

  private func sequences(_ text: String) throws -> [TokenSequence] {
    try body(text).inputs.compactMap {
      if case .tokens(let sequence, _) = $0 { sequence } else { nil }
    }
  }

  private func message(_ text: String) throws -> String {
    try #require(throws: ServiceError.self) { try body(text) }.message
  }

  @Test(arguments: [
    #"{"instances": ["a", "b"]}"#, #"{"instances": [["a"], ["b"]]}"#,
    #"{"instances": [{"text": "a"}, {"text": "b"}]}"#, #"{"instances": [{"b64": "YQ=="}, "b"]}"#,
    #"{"instances": [{"text": {"b64": "YQ=="}}, {"text": ["b"]}]}"#,
    #"{"inputs": ["a", "b"]}"#, #"{"inputs": {"text": ["a", "b"]}}"#,
    #"{"inputs": [{"b64": "YQ=="}, ["b"]], "signature_name": ""}"#,
  ])
  func texts(text: String) throws {
    #expect(try texts(text) == [.single("a"), .single("b")])
    #expect(try body(text).isRows == text.contains("instances"))
    #expect(try body(text).signature == "serving_default")
  }

  @Test func pairs() throws {
    let rows = #"{"instances": [{"text": "a", "text_pair": "b"}], "signature_name": "x"}"#
    #expect(try texts(rows) == [.pair("a", "b")])
    #expect(try body(rows).signature == "x")
    let columns = #"{"inputs": {"text": "a", "text_pair": "b"}}"#
    #expect(try texts(columns) == [.pair("a", "b")])
  }

  @Test func tokenIDs() throws {
    let columns = """
      {"inputs": {"input_word_ids": [[2, 5, 3, 0]], "input_mask": [[1, 1, 1, 0]],
       "input_type_ids": [[0, 1, 1, 0]]}}
      """
    let expected = TokenSequence(ids: [2, 5, 3, 0], typeIDs: [0, 1, 1, 0], attendedCount: 3)
    #expect(try sequences(columns) == [expected])
    for types in ["token_type_ids", "segment_ids"] {
      let names = ["input_mask": "attention_mask", "input_word_ids": "input_ids"]
        .reduce(columns) { $0.replacing($1.key, with: $1.value) }
      #expect(try sequences(names.replacing("input_type_ids", with: types)) == [expected])
    }
    let alone = #"{"instances": [{"input_word_ids": [2, 3]}, {"input_word_ids": [5, 7]}]}"#
    #expect(
      try sequences(alone) == [
        TokenSequence(ids: [2, 3], typeIDs: [0, 0]), TokenSequence(ids: [5, 7], typeIDs: [0, 0]),
      ])
  }

  @Test(arguments: [
    ("[8]", "[1]", "[0]", "8 is no token id"), ("[-1]", "[1]", "[0]", "-1 is no token id"),
    ("[5, 5]", "[0, 1]", "[0, 0]", "input_mask"), ("[5]", "[0]", "[0]", "input_mask"),
    ("[5]", "[2]", "[0]", "input_mask"), ("[5]", "[1]", "[2]", "input_type_ids"),
    ("[5]", "[1, 1]", "[0]", "columns"), ("[5]", "[1]", "[]", "columns"),
    (
      "[5, 5, 5, 5, 5, 5, 5, 5, 5]", "[1, 1, 1, 1, 1, 1, 1, 1, 1]",
      "[0, 0, 0, 0, 0, 0, 0, 0, 0]", "8 positions"
    ),
  ])
  func wrongTokenIDs(ids: String, mask: String, types: String, words: String) throws {
    let text = """
      {"inputs": {"input_word_ids": [\(ids)], "input_mask": [\(mask)], "input_type_ids": [\(types)]}}
      """
    #expect(try message(text).contains(words))
  }

  @Test func whatIsWrongIsSaid() throws {
    #expect(try message("") == "JSON Parse error: The document is empty")
    #expect(try message("{}") == "Missing 'inputs' or 'instances' key")
    #expect(try message(#"{"instances": [], "inputs": []}"#).contains("both"))
    #expect(try message(#"{"instances": [{"text": "a"}, {"text_pair": "b"}]}"#).contains("first"))
    #expect(try message(#"{"instances": [{"colour": "a"}]}"#).contains("'colour'"))
    #expect(try message(#"{"inputs": {"b64": "a"}}"#).contains("Base64"))
    #expect(try message(#"{"instances": [{"pixels": [[1]]}]}"#).contains("'pixels'"))
    #expect(
      try message(#"{"instances": ["a", null]}"#)
        == #"row 1 of input 'text' is null; it is a text, or {"b64": …}"#)
    #expect(
      try message(#"{"instances": [{"input_ids": [5]}, {"input_ids": 5}]}"#).contains("row 1"))
    #expect(
      try message(
        #"{"inputs": {"token_type_ids": [[0]], "segment_ids": [[0]], "input_ids": [[5]]}}"#
      )
      .contains("two names of one input"))
  }

  @Test func aModelWithOneSegmentTakesNoPairs() throws {
    let model = try TestModel.make(typeCount: 1)
    #expect(throws: ServiceError.self) {
      try MapRequest(model, keys: [.default]).tokenize([.text(.pair("a", "b"))])
    }
    let names = TokenInputNames(ids: "a", mask: "b", types: "c")
    #expect(throws: ServiceError.self) {
      try model.sequence(row: 0, ids: [5], mask: nil, types: [1], names)
    }
  }
}
