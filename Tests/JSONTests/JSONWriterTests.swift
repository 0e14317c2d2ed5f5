import TestSupport
import Testing
import UntrustedInput

@testable import JSON

struct JSONWriterTests {
  private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test func commasAreWhereTheyBelong() {
    let text = written { writer in
      writer.beginObject()
      writer.key("a")
      writer.beginArray()
      writer.endArray()
      writer.key("b")
      writer.beginArray()
      writer.integer(1)
      writer.beginObject()
      writer.endObject()
      writer.beginArray()
      writer.null()
      writer.endArray()
      writer.boolean(true)
      writer.endArray()
      writer.key("c")
      writer.boolean(false)
      writer.key("d")
      writer.floats([1.5, -2].span)
      writer.key("e")
      writer.string("x")
      writer.key("f")
      writer.double(0.1)
      writer.key("g")
      writer.base64([1, 2, 3].span)
      writer.endObject()
    }
    #expect(
      text == """
        {"a":[],"b":[1,{},[null],true],"c":false,"d":[1.5,-2.0],"e":"x","f":0.1,"g":"AQID"}
        """)
  }

  @Test func integersAreWhole() {
    for value in [0, 1, -1, 9, 10, -10, 1_234_567_890, Int.max, Int.min] {
      #expect(written { $0.integer(value) } == "\(value)")
    }
    #expect(written { $0.integer(UInt64.max) } == "\(UInt64.max)")
    #expect(written { $0.integer(Int8.min) } == "-128")
  }

  @Test func doublesReadBack() throws {
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    var values = [
      0, -0.0, 0.1, 1e21, 1e-7, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 123.456,
    ]
    for _ in 0..<5_000 {
      values.append(Double(bitPattern: UInt64.random(in: 0...(.max), using: &generator)))
    }
    for value in values where value.isFinite {
      let text = written { $0.double(value) }
      #expect(try JSONParser.parse(Array(text.utf8)) == .double(value), "seed \(seed): \(text)")
    }
  }

  @Test func stringsAreEscaped() throws {
    #expect(written { $0.string("") } == "\"\"")
    #expect(
      written { $0.string("a/\"b\\\u{8}\u{c}\n\r\t\u{1f}\u{7f}é😀") }
        == #""a/\"b\\\b\f\n\r\t\u001f"# + "\u{7f}é😀\"")
    // Every ASCII character, at every offset of a word.
    for code in UInt8(0)..<128 {
      for before in 0..<9 {
        let text = String(repeating: "é", count: before) + String(Unicode.Scalar(code)) + "z"
        let bytes = Array(written { $0.string(text) }.utf8)
        #expect(try JSONParser.parse(bytes) == .string(text))
        #expect(!bytes.contains { $0 < 0x20 })
      }
    }
  }

  @Test func floatsOfAnyNumberReadBack() throws {
    for count in [0, 1, 2, 255, 256, 257, 511, 512, 513, 3000] {
      let values = (0..<count).map { Float($0 * $0) * -1.37e-3 }
      let text = written { $0.floats(values.span) }
      guard case .array(let elements) = try JSONParser.parse(Array(text.utf8)) else {
        Issue.record("\(text)")
        continue
      }
      let back = elements.map { element -> Float in
        if case .double(let value) = element { Float(value) } else { .nan }
      }
      #expect(back == values)
    }
  }

  @Test func piecesMakeTheWhole() {
    var writer = JSONWriter(capacity: 10)
    writer.beginArray()
    writer.integer(1)
    var text = writer.takeBytes()
    #expect(writer.bytes.isEmpty)
    writer.integer(2)
    text += writer.takeBytes()
    writer.endArray()
    text += writer.takeBytes()
    #expect(String(decoding: text, as: UTF8.self) == "[1,2]")
  }
}
