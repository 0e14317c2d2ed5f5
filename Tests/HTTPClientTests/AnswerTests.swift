import JSON
import Testing

@testable import HTTPClient

/// Answers as a service, or one that means it ill, sends them.
@Suite struct AnswerTests {
  /// - Parameter size: bytes that come at a time.
  private static func read(
    _ text: String, limit: Int = 100, by size: Int = .max
  ) throws -> Answer? {
    var reader = AnswerReader()
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      reader.append(rest.prefix(size))
      rest = rest.dropFirst(size)
      if let answer = try reader.next(limit: limit) { return answer }
    }
    return nil
  }

  private static let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello"
  private static let chunked =
    "HTTP/1.1 503 No\r\nTransfer-Encoding: Chunked\r\n\r\n"
    + "3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nT: x\r\n\r\n"

  @Test func aBodyOfAKnownLength() throws {
    let answer = try #require(try Self.read(Self.sized))
    #expect(answer.status == 200)
    #expect(answer.fields == ["content-length": "5", "x-a": "b"])
    #expect(answer.body == Array("hello".utf8))
  }

  @Test func aBodyInChunks() throws {
    let answer = try #require(try Self.read(Self.chunked))
    #expect(answer.status == 503)
    #expect(answer.body == Array("hello".utf8))
  }

  @Test(arguments: [sized, chunked], [1, 2, 7])
  func howTheBytesComeMakesNoDifference(text: String, size: Int) throws {
    #expect(try Self.read(text, by: size) == Self.read(text))
  }

  /// Chunks are read as they come: what was read is not kept.
  @Test func manyChunks() throws {
    var reader = AnswerReader()
    reader.append(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)[...])
    let piece = Array(String(repeating: "2\r\n\r\n\r\n", count: 1000).utf8)[...]
    for _ in 0..<1000 {
      reader.append(piece)
      #expect(try reader.next(limit: 1 << 30) == nil)
    }
    reader.append(Array("0\r\n".utf8)[...])
    #expect(try reader.next(limit: 1 << 30)?.body.count == 2_000_000)
  }

  @Test func aChunkLineWithoutEnd() throws {
    var reader = AnswerReader()
    reader.append(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)[...])
    reader.append([UInt8](repeating: 0x30, count: 65537)[...])
    #expect(throws: Answer.Malformed("chunk size")) { try reader.next(limit: 1 << 30) }
  }

  /// What follows a chunk is its end at once, and is not sought in all that comes.
  @Test func aChunkWithoutEnd() throws {
    var reader = AnswerReader()
    reader.append(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX".utf8)[...])
    #expect(throws: Answer.Malformed("chunk")) { try reader.next(limit: 1 << 30) }
  }

  /// A connection that breaks off at any byte is no answer, and no reason not to ask again. Chunked,
  /// it is whole with the line of the last chunk.
  @Test(arguments: [sized, chunked.replacing("T: x\r\n\r\n", with: "")])
  func whatIsCutOffIsNoAnswer(text: String) throws {
    for count in 0..<text.utf8.count {
      let part = String(decoding: text.utf8.prefix(count), as: UTF8.self)
      #expect(try Self.read(part) == nil, "\(count) bytes")
    }
  }

  @Test(arguments: [
    ("HTTP/1.1\r\n", "", "status line"),
    ("HTTP/1.1 99 OK\r\n", "", "status line"),
    ("HTTP/1.1 200 OK\nA: b\r\n", "", "status line"),
    ("HTTP/1.1 200 OK\r\nno colon\r\n", "", "header line"),
    ("HTTP/1.1 200 OK\r\nA : b\r\n", "", "header line"),
    ("HTTP/1.1 200 OK\r\n folded: b\r\n", "", "header line"),
    ("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n", "", "header line"),
    ("HTTP/1.1 200 OK\r\n\nA: b\r\n", "", "header line"),
    ("HTTP/1.1 200 OK\r\n", "hello", "Content-Length"),
    ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n", "hello", "Content-Length"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n", "hello", "Content-Length"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n", "hello", "Content-Length"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", "hello", "Content-Length"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n", "hello", "Content-Length"),
    (
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello",
      "Content-Length"
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "\r\n", "chunk size"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "+1\r\na\r\n", "chunk size"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "1\na\r\n", "chunk size"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "65\r\na\r\n", "chunk size"),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n", "chunk size"
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "1 x\r\na\r\n", "chunk size"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n", "chunk"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "1\r\na\n0\r\n", "chunk"),
  ])
  func whatBreaksTheRules(head: String, body: String, part: String) {
    // What stands behind a body is seen only where it comes along with it.
    for size in body == "hello" ? [.max] : [1, .max] {
      #expect(throws: Answer.Malformed(part)) { try Self.read(head + "\r\n" + body, by: size) }
    }
  }
}
