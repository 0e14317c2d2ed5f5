import HTTPTypes
import Testing

@testable import HTTP

/// The connection's decisions that a socket would show only by chance.
@Suite struct ConnectionMachineTests {
  private static let get = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

  private func handling(_ request: String = get) -> MachineHarness {
    var harness = MachineHarness()
    harness.answersByItself = false
    harness.feed(request)
    return harness
  }

  @Test func theNextRequestWaitsForTheAnswer() {
    var harness = handling(Self.get + Self.get)
    #expect(harness.handled.count == 1)
    harness.feed(Self.get)
    #expect(harness.handled.count == 1)
    // Nothing is read meanwhile: what is sent ahead stays where the client's window sees it.
    #expect(harness.unread == 1)
    harness.respond(Response(status: .ok))
    #expect(harness.handled.count == 2)
    harness.respond(Response(status: .accepted))
    #expect(harness.handled.count == 3)
    harness.respond(Response(status: .created))
    #expect(harness.responses().map(\.status) == [200, 202, 201])
  }

  @Test func answersNobodyReadsStopFurtherRequests() {
    var harness = MachineHarness()
    harness.window = 0
    let body = String(repeating: "x", count: 20_000)
    let request = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n\(body)"
    for _ in 0..<10 { harness.feed(request) }
    #expect(harness.handled.count == 1)
    harness.window = .max
    harness.ready(writable: true)
    #expect(harness.handled.count == 10)
    #expect(harness.responses().count == 10)
  }

  @Test func aHalfClosedClientGetsItsAnswer() {
    var harness = handling()
    harness.peerHasClosed = true
    harness.ready(peerClosed: true)
    // The start that all answers share asks the client's kernel whether anybody is there.
    #expect(String(decoding: harness.output, as: UTF8.self) == "HTTP/1.1 ")
    #expect(harness.cancellations == 0)
    harness.respond(Response(status: .ok, bytes: Array("late".utf8)))
    #expect(harness.responses().map(\.text) == ["late"])
    #expect(harness.isClosed)
    #expect(!harness.wasAbrupt)
  }

  @Test func aClientThatIsGoneCancelsItsRequest() {
    var harness = handling()
    harness.ready(peerClosed: true)
    harness.ready(broken: true)
    #expect(harness.cancellations == 1)
    #expect(harness.isClosed)
    harness.respond(Response(status: .ok))
    #expect(harness.responses().isEmpty)
  }

  @Test func aLateAnswerCannotMeetAnotherRequest() {
    var harness = handling(Self.get + Self.get)
    harness.respond(Response(status: .ok))
    harness.machine.respond(
      Response(status: .created), to: 1, dateLine: MachineHarness.dateLine, at: harness.now)
    harness.run()
    #expect(harness.responses().map(\.status) == [200])
    harness.respond(Response(status: .accepted))
    #expect(harness.responses().map(\.status) == [200, 202])
  }

  @Test func drainingMarksTheAnswerAndCloses() {
    var busy = handling()
    busy.machine.drain()
    busy.run()
    busy.respond(Response(status: .ok))
    #expect(busy.responses().last?["connection"] == "close")
    let busyCloses = busy.closesInStages()
    #expect(busyCloses)

    var idle = MachineHarness()
    idle.feed(Self.get)
    idle.machine.drain()
    idle.run()
    // Its client may be sending the next request: that is the last.
    #expect(!idle.isClosed)
    idle.feed(Self.get)
    #expect(idle.responses().count == 2)
    #expect(idle.responses().last?["connection"] == "close")
    let idleCloses = idle.closesInStages()
    #expect(idleCloses)

    // New connections are still served, once.
    var fresh = MachineHarness()
    fresh.machine.drain()
    fresh.run()
    #expect(!fresh.isClosed)
    fresh.feed(Self.get)
    #expect(fresh.responses().last?["connection"] == "close")
    let freshCloses = fresh.closesInStages()
    #expect(freshCloses)
  }

  @Test func stoppingClosesWhatHasNotBegunAndWaitsForWhatHas() {
    var fresh = MachineHarness()
    fresh.machine.stop()
    fresh.run()
    #expect(fresh.isClosed)

    var half = MachineHarness()
    half.feed("GET /health HT")
    half.machine.stop()
    half.run()
    #expect(!half.isClosed)
    half.feed("TP/1.1\r\nHost: a\r\n\r\n")
    #expect(half.responses().map(\.status) == [200])
    let halfCloses = half.closesInStages()
    #expect(halfCloses)
  }

  @Test func aRequestReadWhileDrainingIsServed() {
    var harness = MachineHarness()
    harness.feed(Self.get)
    harness.arrives(Self.get)
    harness.machine.drain()
    harness.run()
    #expect(harness.responses().map(\.status) == [200, 200])
    let harnessCloses = harness.closesInStages()
    #expect(harnessCloses)
  }

  @Test func theHandlersCloseIsObeyed() {
    var harness = handling()
    harness.respond(Response(status: .ok, fields: [.connection: "close"]))
    #expect(harness.responses().last?.fields.filter { $0.name == "connection" }.count == 1)
    let harnessCloses = harness.closesInStages()
    #expect(harnessCloses)
  }

  @Test func theHandlersFramingIsNotBelieved() {
    var harness = handling()
    harness.respond(
      Response(
        status: .ok, fields: [.contentLength: "99", .transferEncoding: "chunked"], bytes: [65]))
    #expect(harness.responses().last?.text == "A")
    #expect(harness.responses().last?["transfer-encoding"] == nil)
  }

  @Test func noContentHasNoLength() {
    var harness = handling()
    harness.respond(Response(status: .noContent, bytes: [65]))
    #expect(harness.responses().last?["content-length"] == nil)
    #expect(String(decoding: harness.output, as: UTF8.self).hasSuffix("\r\n\r\n"))
  }

  // MARK: Streaming

  private func streaming(
    _ request: String = get, length: Int? = nil
  ) -> MachineHarness {
    var harness = handling(request)
    harness.respond(Response(status: .ok, body: .stream(SilentSource(), length: length)))
    return harness
  }

  @Test func aStreamIsChunked() {
    var harness = streaming()
    harness.deliver(.bytes(Array("hello ".utf8)))
    harness.deliver(.bytes([]))
    harness.deliver(.bytes(Array("world".utf8)))
    harness.deliver(.end)
    #expect(harness.responses().map(\.text) == ["hello world"])
    #expect(harness.responses().last?["transfer-encoding"] == "chunked")
    harness.feed(Self.get)
    #expect(harness.handled.count == 2)
  }

  @Test func aStreamToHTTP10EndsWithTheConnection() {
    var harness = streaming("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    harness.deliver(.bytes(Array("hello".utf8)))
    harness.deliver(.end)
    #expect(harness.responses().map(\.text) == ["hello"])
    #expect(harness.responses().last?["transfer-encoding"] == nil)
    let harnessCloses = harness.closesInStages()
    #expect(harnessCloses)
  }

  @Test func aStreamOfKnownLengthIsHeldToIt() {
    var right = streaming(length: 5)
    right.deliver(.bytes(Array("hello".utf8)))
    right.deliver(.end)
    #expect(right.responses().map(\.text) == ["hello"])
    #expect(!right.isClosed)
    var short = streaming(length: 5)
    short.deliver(.bytes(Array("hell".utf8)))
    short.deliver(.end)
    #expect(short.isClosed)
    #expect(short.wasAbrupt)
    var long = streaming(length: 5)
    long.deliver(.bytes(Array("hello!".utf8)))
    #expect(long.isClosed)
    #expect(long.wasAbrupt)
    #expect(long.abandoned == 1)
  }

  @Test func aFailedStreamIsBrokenOff() {
    var harness = streaming()
    harness.deliver(.bytes(Array("hello".utf8)))
    harness.deliver(.failed)
    #expect(harness.wasAbrupt)
    #expect(harness.responses().isEmpty)
    #expect(!String(decoding: harness.output, as: UTF8.self).hasSuffix("0\r\n\r\n"))
  }

  @Test func aSourceIsPulledOnlyAsFastAsTheClientReads() {
    var harness = handling()
    harness.window = 0
    harness.respond(Response(status: .ok, body: .stream(SilentSource(), length: nil)))
    #expect(harness.pulls == 1)
    harness.deliver(.bytes([UInt8](repeating: 65, count: 40_000)))
    #expect(harness.pulls == 2)
    harness.deliver(.bytes([UInt8](repeating: 66, count: 40_000)))
    #expect(harness.pulls == 2)
    harness.window = 10_000
    harness.ready(writable: true)
    #expect(harness.pulls == 2)
    harness.window = 10_000
    harness.ready(writable: true)
    #expect(harness.pulls == 3)
    harness.deliver(.end)
    harness.window = .max
    harness.ready(writable: true)
    #expect(harness.responses().last?.body.count == 80_000)
  }

  @Test func aSourceNobodyReadsIsToldSo() {
    var gone = streaming()
    gone.ready(broken: true)
    #expect(gone.abandoned == 1)
    var head = streaming("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(head.abandoned == 1)
    #expect(head.pulls == 0)
    head.feed(Self.get)
    #expect(head.handled.count == 2)
  }
}
