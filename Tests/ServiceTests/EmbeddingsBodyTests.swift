import JSON
import Testing

@testable import Service

@Suite struct EmbeddingsBodyTests {
  private func body(_ text: String) throws -> EmbeddingsBody {
    try EmbeddingsBody(Array(text.utf8), limits: .test)
  }

  @Test func textsAndOptions() throws {
    #expect(try body(#"{"input": "a"}"#).texts == ["a"])
    #expect(try body(#"{"input": ["a", ""], "model": "m", "user": "u"}"#).texts == ["a", ""])
    #expect(try body(#"{"input": "a", "model": "m"}"#).model == "m")
    #expect(try body(#"{"input": "a", "dimensions": 3}"#).dimensions == 3)
    #expect(try body(#"{"input": "a", "dimensions": null, "model": null}"#).dimensions == nil)
    guard case .base64 = try body(#"{"input": "a", "encoding_format": "base64"}"#).coding else {
      Issue.record("not base64")
      return
    }
  }

  @Test(arguments: [
    ("{}", "input"), (#"{"input": 1}"#, "input"), (#"{"input": [1]}"#, "input"),
    (#"{"input": [[1]]}"#, "input"), (#"{"input": "a", "size": 1}"#, "size"),
    (#"{"input": "a", "dimensions": "3"}"#, "dimensions"),
    (#"{"input": "a", "user": 1}"#, "user"),
    (
      #"{"input": "a", "encoding_format": "x"}"#,
      "encoding_format"
    ),
  ])
  func whatIsWrongIsNamed(text: String, parameter: String) throws {
    let error = try #require(throws: ServiceError.self) { try body(text) }
    #expect(error.parameter == parameter)
  }

  @Test func cutVectorsHaveLengthOne() {
    #expect([3, 4, 5].cut(to: 2, normalizes: true) == [0.6, 0.8])
    #expect([3, 4, 5].cut(to: 2, normalizes: false) == [3, 4])
    #expect([0, 0].cut(to: 1, normalizes: true) == [0])
  }
}
