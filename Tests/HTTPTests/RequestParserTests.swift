import HTTPTypes
import TestSupport
import Testing

@testable import HTTP

/// What holds for every input.
@Suite struct RequestParserTests {
  /// A few requests after each other, of the kinds there are.
  private static func requests(_ random: inout SeededGenerator) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      bytes += behaviours.randomElement(using: &random)?.bytes ?? []
    }
    return bytes
  }

  private static func pieces(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var position = 0
    let longest = Int.random(in: 1...400, using: &random)
    while position < bytes.count {
      let end = min(bytes.count, position + Int.random(in: 1...longest, using: &random))
      pieces.append(Array(bytes[position..<end]))
      position = end
    }
    return pieces
  }

  @Test func cuttingChangesNothing() {
    let seed = SeededGenerator.seed
    var random = SeededGenerator(seed: seed)
    for _ in 0..<300 {
      let bytes = Self.requests(&random)
      var whole = MachineHarness()
      whole.feed(bytes)
      var cut = MachineHarness()
      for piece in Self.pieces(bytes, &random) { cut.feed(piece) }
      if cut.output != whole.output {
        Issue.record("seed \(seed): \(String(decoding: bytes.prefix(300), as: UTF8.self))")
        return
      }
    }
  }

  /// Being asked again with nothing new changes nothing, at any byte of the longest lines.
  @Test func askingTwiceChangesNothing() {
    let field = "X: " + String(repeating: "v", count: ServerLimits.test.maxFieldBytes - 3)
    let bytes = Array("GET /health HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n".utf8)
    var harness = MachineHarness()
    for byte in bytes {
      harness.feed([byte])
      harness.ready(readable: true)
    }
    #expect(harness.responses().map(\.status) == [200])
  }

  /// Changed bytes never crash, and whatever comes out is whole answers.
  @Test func changedBytesAreAnswered() {
    let seed = SeededGenerator.seed
    var random = SeededGenerator(seed: seed)
    let telling: [UInt8] = Array("\r\n\t :;,%/0x1f\"\\[]\0".utf8) + [0x7F, 0x80, 0xFF]
    for _ in 0..<3000 {
      var bytes = Self.requests(&random)
      for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
        let index = bytes.indices.randomElement(using: &random) ?? 0
        let byte = telling.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[index] = byte
        case 1: bytes.insert(byte, at: index)
        case 2: bytes.remove(at: index)
        default: bytes[index] = .random(in: 0 ... .max, using: &random)
        }
      }
      var whole = MachineHarness()
      whole.feed(bytes)
      var cut = MachineHarness()
      for piece in Self.pieces(bytes, &random) { cut.feed(piece) }
      if whole.output != cut.output {
        Issue.record("seed \(seed): \(String(decoding: bytes.prefix(300), as: UTF8.self))")
        return
      }
      // Each answer but interim ones belongs to a request or is the one that ends the connection.
      let final = whole.responses().filter { $0.status >= 200 }.count
      if final == 0, whole.isClosed { Issue.record("seed \(seed): closed without an answer") }
    }
  }

  @Test func noiseIsAnsweredOrAwaited() {
    let seed = SeededGenerator.seed
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      var harness = MachineHarness()
      harness.feed(
        (0..<Int.random(in: 1...200, using: &random)).map { _ in
          UInt8.random(in: 0 ... .max, using: &random)
        })
      let statuses = harness.responses().map(\.status)
      if statuses != [] && statuses != [400] && statuses != [501] {
        Issue.record("seed \(seed): \(statuses)")
      }
    }
  }

  @Test func theBodyGrowsByWhatArrives() throws {
    var limits = ServerLimits.test
    limits.maxBodyBytes = Int.max
    var parser = RequestParser(limits: limits)
    let head = Array(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n".utf8)
    var position = 0
    guard case .head = try parser.next(head.span, &position) else {
      Issue.record("no head")
      return
    }
    #expect(parser.isInsideBody)
    guard case .needsMore = try parser.next(head.span, &position) else {
      Issue.record("more than was sent")
      return
    }
  }

  @Test func aWholeRequestIsReadAsSent() throws {
    var parser = RequestParser(limits: ServerLimits.test)
    let bytes = Array(
      "\r\nPUT /a/b?c=d HTTP/1.1\r\nHost: h:1\r\nAccept: x\r\naccept: y\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\nrest"
        .utf8)
    var position = 0
    guard case .head(let head) = try parser.next(bytes.span, &position),
      case .body(let body) = try parser.next(bytes.span, &position)
    else {
      Issue.record("not whole")
      return
    }
    #expect(head.request.method == .put)
    #expect(head.request.path == "/a/b?c=d")
    #expect(head.request.authority == "h:1")
    #expect(head.request.headerFields[.accept] == "x, y")
    #expect(head.request.headerFields[.init("T")!] == nil)
    #expect(head.framing == .chunked)
    #expect(body == Array("abc".utf8))
    #expect(position == bytes.count - 4)
    #expect(!parser.isInsideRequest)
  }
}
