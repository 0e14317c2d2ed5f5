import Dispatch
import Glibc
import JSON
import Logging
import Settings
import Testing

@testable import Hosting

@Suite struct LogTests {
  /// Both ends of a pipe.
  private static func pipe() throws -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    try #require(unsafe Glibc.pipe(&ends) == 0)
    return (ends[0], ends[1])
  }

  private static func read(_ descriptor: Int32, _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count < count {
      let got = unsafe Glibc.read(descriptor, &piece, min(piece.count, count - bytes.count))
      guard got > 0 else { break }
      bytes += piece[..<got]
    }
    return bytes
  }

  @Test func linesAreWrittenInOrder() throws {
    let (reading, writing) = try Self.pipe()
    let log = LogWriter(writing)
    for number in 0..<100 { log.append(Array("\(number)\n".utf8)) }
    log.flush(timeout: .seconds(60))
    close(writing)
    let text = String(decoding: Self.read(reading, 1000), as: UTF8.self)
    #expect(text == (0..<100).map { "\($0)\n" }.joined())
    #expect(log.dropped == 0)
    close(reading)
  }

  /// Nobody reads: `append` returns all the same, and the log says later what it lost.
  @Test func aLogThatNobodyReadsDropsLines() throws {
    let (reading, writing) = try Self.pipe()
    let log = LogWriter(writing)
    let line = [UInt8](repeating: 0x7A, count: (64 << 10) - 1) + [0x0A]
    for _ in 0..<60 { log.append(line) }
    let dropped = log.dropped
    // A megabyte is being written, another one waits, and the pipe holds a line or two.
    #expect(dropped > 20)
    var text = ""
    func told() -> Int {
      text.matches(of: /bert-server: (\d+) log lines dropped/).reduce(0) { $0 + (Int($1.1) ?? 0) }
    }
    var kept = 0
    while kept < (60 - dropped) * line.count || told() < dropped {
      let bytes = Self.read(reading, 1)
      try #require(!bytes.isEmpty)
      // A z, which what the log says itself has not.
      if bytes[0] == 0x7A {
        kept += Self.read(reading, line.count - 1).count + 1
      } else {
        text += String(decoding: bytes, as: UTF8.self)
      }
    }
    #expect(kept == (60 - dropped) * line.count)
    #expect(told() == dropped)
    close(reading)
    close(writing)
  }

  @Test func aJSONLineKeepsNumbersNumbers() throws {
    let handler = LineLogHandler(label: "l", format: .json)
    let line = handler.line(
      .error, "a \"b\"\n", ["status": .stringConvertible(500), "id": "42"])
    #expect(line.last == 0x0A && line.count { $0 == 0x0A } == 1)
    let value = try JSONParser.parse(Array(line))
    #expect(value["level"] == "error")
    #expect(value["message"] == "a \"b\"\n")
    #expect(value["status"] == 500)
    #expect(value["id"] == "42")
  }

  @Test func aLineForPeopleIsOneLine() {
    let handler = LineLogHandler(label: "l", format: .text)
    let line = handler.line(.info, "a\nb", ["y": "2\r\n", "x": "1"])
    let text = String(decoding: line, as: UTF8.self)
    #expect(text.hasSuffix("Z info l: x=1 y=2   a b\n"))
    #expect(text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z .*\n/) != nil)
  }
}
