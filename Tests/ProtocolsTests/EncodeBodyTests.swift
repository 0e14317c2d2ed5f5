import JSON
import Testing
import Tokenizers

@testable import Encoding
@testable import Protocols
@testable import Serving

@Suite struct EncodeBodyTests {
  private func body(_ text: String, _ type: ContentType) throws -> EncodeBody {
    try EncodeBody(Array(text.utf8), type, limits: .test)
  }

  private func error(_ text: String, _ type: ContentType) -> String? {
    do {
      _ = try body(text, type)
      return nil
    } catch {
      return (error as? ServiceError)?.message
    }
  }

  @Test func plainTextIsOneTextWhateverItHolds() throws {
    for text in ["", "hello", "[1, 2", "{\"inputs\": 1}", "line\nline"] {
      #expect(try body(text, .text).texts == [.single(text)])
    }
  }

  @Test func anUnstatedTypeIsJSONOnlyIfTheWholeParses() throws {
    #expect(try body(#""quoted""#, .unstated).texts == [.single("quoted")])
    #expect(try body(#" ["a", "b"]"#, .unstated).texts == [.single("a"), .single("b")])
    #expect(try body(#"["a", "b""#, .unstated).texts == [.single(#"["a", "b""#)])
    #expect(try body("12", .unstated).texts == [.single("12")])
    #expect(try body("a=b&c=d", .unstated).texts == [.single("a=b&c=d")])
    #expect(error(#"{"text": 5}"#, .unstated) != nil)
  }

  @Test(arguments: ["inputs", "text", "texts", "instances"])
  func anObjectGivesItsTextsByAnyOfFourNames(name: String) throws {
    #expect(try body(#"{"\#(name)": "a"}"#, .json).texts == [.single("a")])
    #expect(
      try body(#"{"\#(name)": ["a", ["b", "c"]]}"#, .json).texts == [
        .single("a"), .pair("b", "c"),
      ])
  }

  @Test func listsOfWordsAreAskedFor() throws {
    #expect(
      try body(#"{"texts": [["a", "b", "c"], []], "is_tokenized": true}"#, .json).texts == [
        .words(["a", "b", "c"]), .words([]),
      ])
    #expect(error(#"{"texts": [["a", "b", "c"]]}"#, .json)?.contains("pair") == true)
    #expect(error(#"{"texts": ["a"], "is_tokenized": true}"#, .json)?.contains("words") == true)
  }

  @Test func parametersMayStandInTheObject() throws {
    let given = try body(
      #"{"inputs": "a", "output_key": ["default", "sequence_output"], "layers": [0, -1], "#
        + #""seq_length": 16, "tokens": true, "timeout_ms": null}"#, .json
    ).parameters
    #expect(
      given == [
        "output_key": ["default", "sequence_output"], "layers": ["0", "-1"],
        "seq_length": ["16"], "tokens": ["true"],
      ])
  }

  @Test func whatIsNotUnderstoodIsNamed() {
    #expect(
      error(#"{"inputs": "a", "colour": 1, "size": 2}"#, .json)?.contains("'colour', 'size'")
        == true)
    #expect(error(#"{"inputs": "a", "text": "b"}"#, .json)?.contains("'text'") == true)
    #expect(error(#"{"output_key": "default"}"#, .json)?.contains("inputs") == true)
    #expect(error(#"["a", 3]"#, .json)?.contains("item 1") == true)
    #expect(error("3", .json) != nil)
    #expect(error(#"{"inputs": "a", "layers": [[1]]}"#, .json)?.contains("layers") == true)
  }

  @Test func linesAreTextsOrPairs() throws {
    #expect(
      try body("\"a\"\n\n[\"b\", \"c\"]\r\n  \n\"d\"", .ndjson).texts == [
        .single("a"), .pair("b", "c"), .single("d"),
      ])
    #expect(error("\"a\"\n\"b", .ndjson)?.hasPrefix("line 2") == true)
    #expect(error("\"a\"\n{}", .ndjson)?.contains("line 2") == true)
  }

  @Test func badUTF8IsRefused() {
    #expect(throws: ServiceError.self) {
      try EncodeBody([0x61, 0xFF], .text, limits: .test)
    }
    #expect(throws: ServiceError.self) {
      try EncodeBody([0x22, 0xC0, 0x80, 0x22], .json, limits: .test)
    }
  }

  @Test func contentTypes() {
    #expect(ContentType(field: nil) == .unstated)
    #expect(ContentType(field: "application/x-www-form-urlencoded") == .unstated)
    #expect(ContentType(field: "Text/Plain; charset=\"UTF-8\"") == .text)
    #expect(ContentType(field: "application/json;charset=utf-8") == .json)
    #expect(ContentType(field: "application/x-ndjson") == .ndjson)
    #expect(ContentType(field: "text/plain; charset=latin1") == nil)
    #expect(ContentType(field: "application/xml") == nil)
  }
}
