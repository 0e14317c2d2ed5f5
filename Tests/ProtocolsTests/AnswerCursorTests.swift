import JSON
import TensorFormats
import Testing

@testable import Encoding

@Suite struct AnswerCursorTests {
  private let pieces = [
    AnswerPiece(prefix: Array("{\"a\":[".utf8), values: [1, 2.5], width: 2),
    AnswerPiece(
      prefix: Array(",".utf8), values: [1, 2, 3, 4, 5, 6], width: 2, isMatrix: true,
      suffix: Array("]}".utf8)),
  ]

  private func whole(_ coding: AnswerCursor.Coding) -> [UInt8] {
    var cursor = AnswerCursor(pieces, coding)
    var bytes: [UInt8] = []
    cursor.write(into: &bytes, until: .max)
    return bytes
  }

  @Test func nestsNumbersAsTheirShape() {
    let text = String(decoding: whole(.json), as: UTF8.self)
    #expect(text == #"{"a":[[1.0,2.5],[[1.0,2.0],[3.0,4.0],[5.0,6.0]]]}"#)
  }

  @Test func base64IsAStringAPiece() {
    let text = String(decoding: whole(.base64(.float32)), as: UTF8.self)
    #expect(text == #"{"a":["AACAPwAAIEA=","AACAPwAAAEAAAEBAAACAQAAAoEAAAMBA"]}"#)
  }

  /// However small the buffer, the pieces put together are the whole.
  @Test(arguments: [1, 2, 5, 16, 40])
  func piecesMakeTheWhole(size: Int) {
    for coding: AnswerCursor.Coding in [.json, .base64(.bfloat16), .raw(.float16)] {
      var cursor = AnswerCursor(pieces, coding)
      var joined: [UInt8] = []
      var rounds = 0
      while !cursor.isAtEnd, rounds < 1000 {
        var bytes: [UInt8] = []
        cursor.write(into: &bytes, until: size)
        joined += bytes
        rounds += 1
      }
      #expect(joined == whole(coding))
    }
  }
}
