import Testing

@testable import JSON

@Suite struct JSONPlaceTests {
  /// The place of the first `!` in the text.
  private func place(_ text: String) -> String {
    let bytes = Array(text.utf8)
    return JSONPlace(of: bytes.firstIndex(of: UInt8(ascii: "!")) ?? bytes.count, in: bytes)
      .description
  }

  @Test(arguments: [
    ("!", ""), ("[!", "item 0"), (#"["a", "b!"#, "item 1"),
    (#"["a,[", {"b": [1, 2, !"#, "'[1].b[2]'"),
    (#"{"a": !"#, "'a'"), (#"{"a": 1, "b": !"#, "'b'"), (#"{"a": 1, !"#, ""), (#"{"a": 1!"#, "'a'"),
    (#"{"a": [1, 2], "input": ["x", "y", "z!"#, "item 2 of 'input'"),
    (#"{"input": [["a", "b"], ["c", "!"#, "'input[1][1]'"),
    (#"{"inputs": [{"name": "a"}, {"name": "text", "data": ["a", "!"#, "'inputs[1].data[1]'"),
    ("[[[[[[[[[[!", "'[0][0][0][0][0][0][0][0]…'"), (#"{"a": [{"!"#, "item 0 of 'a'"),
    (#"{"inputs": {"source": "a", "sentences": ["b", "!"#, "'inputs.sentences[1]'"),
    (#"{"a": "\"[[[,,,", "b": !"#, "'b'"), (#"{"a": ["x"], "b": !"#, "'b'"), (#"["a"] !"#, ""),
    (#"["\\", "!"#, "item 1"),
  ])
  func placesAreNamed(text: String, name: String) {
    #expect(place(text) == name)
  }

  @Test func theMessageHasThePlace() {
    let text = Array(#"{"input": ["a", "b\ud800"]}"#.utf8)
    let error = #expect(throws: JSONError.self) { try JSONParser.parse(text) }
    #expect(error?.message(in: text).hasPrefix("item 1 of 'input': byte 18: half of a") == true)
  }

  @Test func anythingHasAPlace() {
    let text = Array(#"{"a": [1, {"b": "c\"]}"}, "d"], "e": "f"}"#.utf8)
    for offset in 0...text.count + 2 { _ = JSONPlace(of: offset, in: text).description }
    for start in text.indices { _ = JSONPlace(of: text.count, in: Array(text[start...])) }
  }
}
