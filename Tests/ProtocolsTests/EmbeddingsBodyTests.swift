import JSON
import Testing
import Tokenizers

@testable import Encoding
@testable import Protocols
@testable import Serving

@Suite struct EmbeddingsBodyTests {
  private func body(_ text: String) throws -> EmbeddingsBody {
    try EmbeddingsBody(Array(text.utf8), limits: .test)
  }

  @Test func textsAndOptions() throws {
    #expect(try body(#"{"input": "a"}"#).texts == ["a"])
    #expect(try body(#"{"input": ["a", ""], "model": "m", "user": "u"}"#).texts == ["a", ""])
    #expect(try body(#"{"input": "a", "model": "m"}"#).model == "m")
    #expect(try body(#"{"input": "a", "dimensions": 3}"#).dimensions(of: 384) == 3)
    #expect(
      try body(#"{"input": "a", "dimensions": null, "model": null}"#).dimensions(of: 384) == nil)
    guard case .base64 = try body(#"{"input": "a", "encoding_format": "base64"}"#).coding else {
      Issue.record("not base64")
      return
    }
  }

  @Test(arguments: [
    ("{}", "input"), (#"{"input": 1}"#, "input"), (#"{"input": [1]}"#, "input"),
    (#"{"input": [[1]]}"#, "input"), (#"{"input": [["a", "b"]]}"#, "input"),
    (#"{"input": "a", "dimensions": "3"}"#, "dimensions"),
    (#"{"input": "a", "truncate_prompt_tokens": 1}"#, "truncate_prompt_tokens"),
    (#"{"input": "a", "truncate_prompt_tokens": 1.5}"#, "truncate_prompt_tokens"),
    (#"{"input": "a", "truncate": "MIDDLE"}"#, "truncate"),
    (#"{"input": "a", "normalize": 1}"#, "normalize"),
    (#"{"input": "a", "input_type": ["query"]}"#, "input_type"),
    (
      #"{"input": "a", "encoding_format": "x"}"#,
      "encoding_format"
    ),
  ])
  func whatIsWrongIsNamed(text: String, parameter: String) throws {
    let error = try #require(throws: ServiceError.self) { _ = try body(text).dimensions(of: 384) }
    #expect(error.parameter == parameter)
  }

  @Test func membersOfOtherServers() throws {
    let many = try body(
      #"""
      {"input": "a", "drop_params": true, "user": 1, "zeta": 1, "alpha": {"b": 2}, "gone": null,
       "truncate_prompt_tokens": 511, "truncate": "START", "input_type": "Query"}
      """#)
    #expect(many.ignored.names == ["alpha", "zeta"] && many.ignored.count == 2)
    #expect(many.maxTokens == 511 && many.truncation == .left && many.inputType == "Query")
    #expect(try body(#"{"input": "a", "truncate_prompt_tokens": -1}"#).maxTokens == nil)
    #expect(try body(#"{"input": "a", "truncate": false}"#).truncation == .error)
    #expect(try body(#"{"input": "a", "dimensions": 0}"#).dimensions(of: 384) == nil)
  }

  @Test func halvesOfSurrogatePairsAreReplaced() throws {
    let texts = try body(#"{"input": ["\ud83d", "a\ude00b", "\ud83d\ud83d\ude00", "\ud83dA"]}"#)
      .texts
    #expect(texts == ["\u{FFFD}", "a\u{FFFD}b", "\u{FFFD}😀", "\u{FFFD}A"])
  }

  @Test(arguments: [
    (#"{"input": ["a", null]}"#, "item 1 of 'input' is null, not a text"),
    (#"{"input": ["a", ["b"]]}"#, "item 1 of 'input' is a list; "),
    (#"{"input": ["a", [1, 2]]}"#, "item 1 of 'input' is token ids, "),
    (#"{"input": ["2024", 2024]}"#, "item 1 of 'input' is a number, not a text"),
    (#"{"input": ["a", "b\x"]}"#, "item 1 of 'input': byte 18: not a JSON escape"),
  ])
  func theItemIsNamed(text: String, words: String) throws {
    let error = try #require(throws: ServiceError.self) { try body(text) }
    #expect(error.message.hasPrefix(words), "\(error.message)")
  }

  @Test func cutVectorsHaveLengthOne() {
    #expect([3, 4, 5].cut(to: 2, normalizes: true) == [0.6, 0.8])
    #expect([3, 4, 5].cut(to: 2, normalizes: false) == [3, 4])
    #expect([0, 0].cut(to: 1, normalizes: true) == [0])
  }
}
