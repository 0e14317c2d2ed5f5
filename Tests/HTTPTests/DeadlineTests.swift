import HTTPTypes
import Testing

@testable import HTTP

/// Every deadline, with a clock moved by hand.
@Suite struct DeadlineTests {
  private let limits: ServerLimits = {
    var limits = ServerLimits.test
    limits.headerTimeout = .seconds(10)
    limits.bodyTimeout = .seconds(20)
    limits.idleTimeout = .seconds(60)
    limits.writeTimeout = .seconds(15)
    limits.lingerTimeout = .seconds(5)
    return limits
  }()

  private static let get = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

  @Test func aTrickledHeadIsCutOffAtItsDeadline() {
    var harness = MachineHarness(limits: limits)
    harness.pass(.seconds(9))
    // The deadline counts from the first byte, and no later byte moves it.
    for byte in Self.get.utf8.prefix(9) {
      harness.feed([byte])
      harness.pass(.seconds(1))
    }
    #expect(harness.output.isEmpty)
    harness.pass(.seconds(1))
    #expect(harness.responses().map(\.status) == [408])
    #expect(harness.responses().last?["connection"] == "close")
    #expect(harness.hasEndedOutput)
    #expect(!harness.isClosed)
    harness.pass(.seconds(5))
    #expect(harness.isClosed)
  }

  @Test func emptyLinesDoNotStartARequest() {
    var harness = MachineHarness(limits: limits)
    harness.feed("\r\n")
    harness.pass(.seconds(10))
    #expect(harness.isClosed)
    #expect(harness.output.isEmpty)
  }

  @Test func aConnectionThatSaysNothingIsClosedWithoutAWord() {
    var harness = MachineHarness(limits: limits)
    harness.pass(.milliseconds(9999))
    #expect(!harness.isClosed)
    harness.pass(.milliseconds(1))
    #expect(harness.isClosed)
    #expect(harness.output.isEmpty)
  }

  @Test func aTrickledBodyIsCutOffAtItsDeadline() {
    var harness = MachineHarness(limits: limits)
    harness.feed("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
    for _ in 0..<19 {
      harness.feed("x")
      harness.pass(.seconds(1))
    }
    #expect(harness.output.isEmpty)
    harness.pass(.seconds(1))
    #expect(harness.responses().map(\.status) == [408])
    #expect(harness.hasEndedOutput)
  }

  @Test func anIdleConnectionIsClosedWithoutAWord() {
    var harness = MachineHarness(limits: limits)
    harness.feed(Self.get)
    harness.pass(.seconds(59))
    #expect(!harness.isClosed)
    harness.feed(Self.get)
    harness.pass(.seconds(59))
    #expect(!harness.isClosed)
    harness.pass(.seconds(1))
    #expect(harness.isClosed)
    #expect(!harness.wasAbrupt)
    #expect(harness.responses().map(\.status) == [200, 200])
  }

  @Test func aRequestThatComesAtTheIdleLimitIsServed() {
    var harness = MachineHarness(limits: limits)
    harness.feed(Self.get)
    // On the socket, but no event has told yet.
    harness.arrives(Self.get)
    harness.pass(.seconds(60))
    #expect(!harness.isClosed)
    #expect(harness.responses().map(\.status) == [200, 200])
    harness.pass(.seconds(60))
    #expect(harness.isClosed)
  }

  @Test func thinkingHasNoDeadlineHere() {
    var harness = MachineHarness(limits: limits)
    harness.answersByItself = false
    harness.feed(Self.get)
    harness.pass(.seconds(100_000))
    #expect(!harness.isClosed)
    harness.respond(Response(status: .ok))
    #expect(harness.responses().map(\.status) == [200])
  }

  @Test func aClientThatReadsNothingIsBrokenOff() {
    var harness = MachineHarness(limits: limits)
    harness.window = 1000
    harness.answersByItself = false
    harness.feed(Self.get)
    harness.respond(Response(status: .ok, bytes: [UInt8](repeating: 1, count: 100_000)))
    #expect(harness.output.count == 1000)
    harness.pass(.seconds(14))
    // Progress starts the time anew.
    harness.window = 1000
    harness.ready(writable: true)
    #expect(harness.output.count == 2000)
    harness.pass(.seconds(14))
    #expect(!harness.isClosed)
    harness.pass(.seconds(1))
    #expect(harness.isClosed)
    #expect(harness.wasAbrupt)
  }

  @Test func lingeringEnds() {
    var harness = MachineHarness(limits: limits)
    harness.feed("bad\r\n\r\n")
    #expect(harness.hasEndedOutput)
    for _ in 0..<4 {
      harness.pass(.seconds(1))
      harness.feed([UInt8](repeating: 0, count: 1000))
      #expect(!harness.isClosed)
    }
    harness.pass(.seconds(1))
    #expect(harness.isClosed)
  }

  @Test func lingeringEndsWithTheClient() {
    var harness = MachineHarness(limits: limits)
    harness.feed("bad\r\n\r\n")
    harness.peerHasClosed = true
    harness.ready(peerClosed: true)
    #expect(harness.isClosed)
    #expect(!harness.wasAbrupt)
  }

  @Test func lingeringThrowsAwayOnlySoMuch() {
    var harness = MachineHarness(limits: limits)
    harness.feed("bad\r\n\r\n")
    let piece = [UInt8](repeating: 0, count: 1 << 20)
    for _ in 0..<64 { harness.feed(piece) }
    #expect(!harness.isClosed)
    harness.feed(piece)
    #expect(harness.isClosed)
  }

  @Test func aRefusedBodyThatDoesNotComeIsBrokenOff() {
    var harness = MachineHarness(limits: limits)
    harness.feed("POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
    #expect(harness.responses().map(\.status) == [405])
    harness.pass(.seconds(20))
    #expect(harness.isClosed)
    #expect(harness.responses().map(\.status) == [405])
  }

  /// One that was told to come back later, and has asked again at once, twice.
  private func paused() -> MachineHarness {
    var harness = MachineHarness(limits: limits)
    harness.answersByItself = false
    harness.feed(Self.get + Self.get)
    var refusal = Response(status: .tooManyRequests)
    refusal.pause = .milliseconds(500)
    harness.respond(refusal)
    harness.feed(Self.get)
    return harness
  }

  @Test func aPauseLeavesTheNextRequestUnread() {
    var harness = paused()
    #expect(harness.responses().map(\.status) == [429])
    harness.pass(.milliseconds(499))
    #expect(harness.handled.count == 1)
    #expect(harness.unread == 1)
    harness.pass(.milliseconds(1))
    #expect(harness.handled.count == 2)
    harness.respond(Response(status: .ok))
    #expect(harness.handled.count == 3)
    harness.respond(Response(status: .ok))
    #expect(harness.responses().map(\.status) == [429, 200, 200])
    harness.pass(.seconds(60))
    #expect(harness.isClosed)
  }

  @Test func aPauseEndsWithTheClient() {
    var harness = paused()
    harness.peerHasClosed = true
    harness.ready(peerClosed: true)
    #expect(harness.handled.count == 2)
    harness.ready(broken: true)
    #expect(harness.cancellations == 1)
    #expect(harness.isClosed)
  }

  @Test func aPauseEndsWithTheServer() {
    var harness = paused()
    harness.machine.drain()
    harness.run()
    harness.respond(Response(status: .ok))
    #expect(harness.responses().map(\.status) == [429, 200])
    #expect(harness.responses().last?["connection"] == "close")
  }

  @Test func aStreamThatWaitsForItsSourceHasNoDeadline() {
    var harness = MachineHarness(limits: limits)
    harness.answersByItself = false
    harness.feed(Self.get)
    harness.respond(Response(status: .ok, body: .stream(SilentSource(), length: nil)))
    harness.pass(.seconds(1000))
    #expect(!harness.isClosed)
    harness.deliver(.bytes([65]))
    harness.deliver(.end)
    #expect(harness.responses().map(\.text) == ["A"])
  }
}

/// Delivers nothing by itself.
struct SilentSource: BodySource {
  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {}
  func abandon() {}
}
