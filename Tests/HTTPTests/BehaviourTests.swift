import HTTPTypes
import Testing

@testable import HTTP

/// What the server does with every kind of input, on real sockets.
@Suite struct BehaviourTests {
  /// One server for each door takes all of it, many at a time.
  private static let servers = Result {
    [Door.plain: try TestServer(.plain), .tls: try TestServer(.tls)]
  }

  private func server(_ door: Door) throws -> TestServer {
    try #require(try Self.servers.get()[door])
  }

  private static let good = Array("GET /health HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

  @Test(arguments: behaviours, Door.allCases)
  func onASocket(_ behaviour: Behaviour, _ door: Door) async throws {
    try await check(behaviour, server(door), behindAnother: false)
  }

  @Test(arguments: behaviours, Door.allCases)
  func behindAGoodRequest(_ behaviour: Behaviour, _ door: Door) async throws {
    try await check(behaviour, server(door), behindAnother: true)
  }

  private func check(
    _ behaviour: Behaviour, _ test: TestServer, behindAnother: Bool
  ) async throws {
    let (responses, next, rest) = try await blocking {
      let client = test.connect()
      client.send((behindAnother ? Self.good : []) + behaviour.bytes)
      let count = behaviour.statuses.count + (behindAnother ? 1 : 0)
      let responses = (0..<count).map { _ in client.response() }
      if behaviour.closes { return (responses, RawResponse?.none, client.rest()) }
      // That the connection goes on, and at the right byte, shows in the next request.
      client.send(Self.good)
      return (responses, client.response(), nil)
    }
    let expected = (behindAnother ? [200] : []) + behaviour.statuses
    #expect(responses.map { $0?.status } == expected)
    if behaviour.closes {
      #expect(rest == [])
      #expect(responses.last??["connection"] == "close")
    } else {
      #expect(next?.status == 200)
      #expect(next?.text == "ok\n")
    }
    if let body = behaviour.body { #expect(responses.last??.text == body) }
    for response in responses.compactMap({ $0 }) where response.status >= 200 {
      #expect(response["date"]?.count == 29)
      #expect((response["content-length"] == nil) == (response.status == 204))
    }
    if let last = responses.last ?? nil, behaviour.closes, last.status == 400 {
      #expect(last.text.hasPrefix(#"{"error":""#))
      #expect(last.text.hasSuffix(#"","error_type":"Validation"}"#))
    }
    // And it still answers afterwards.
    let after = try await blocking {
      let client = test.connect()
      client.send(Self.good)
      return client.response()
    }
    #expect(after?.status == 200)
  }

  /// The answer does not depend on how the bytes were cut.
  @Test(arguments: behaviours)
  func splitAnywhere(_ behaviour: Behaviour) {
    var whole = MachineHarness()
    whole.feed(behaviour.bytes)
    #expect(whole.responses().map(\.status) == behaviour.statuses)
    #expect((whole.isClosed || whole.hasEndedOutput) == behaviour.closes)
    var bytewise = MachineHarness()
    for byte in behaviour.bytes { bytewise.feed([byte]) }
    #expect(bytewise.output == whole.output)
    // Every place to cut; of the long ones two hundred.
    let count = behaviour.bytes.count
    for cut in stride(from: 0, to: count, by: max(1, count / 200)) {
      var halves = MachineHarness()
      halves.feed(Array(behaviour.bytes[..<cut]))
      halves.feed(Array(behaviour.bytes[cut...]))
      if halves.output != whole.output {
        Issue.record("cut at \(cut): \(String(decoding: halves.output, as: UTF8.self))")
      }
    }
  }

  @Test(arguments: Door.allCases)
  func headAnswersLikeGetWithoutABody(_ door: Door) async throws {
    let test = try server(door)
    let (get, head, next) = try await blocking {
      let client = test.connect()
      client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
      let get = client.response()
      client.send("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\nGET /host HTTP/1.1\r\nHost: a\r\n\r\n")
      return (get, client.response(isHead: true), client.response())
    }
    #expect(head?.fields.map(\.name) == get?.fields.map(\.name))
    #expect(head?["content-length"] == "3")
    #expect(next?.text == "a")
  }

  @Test func aMalformedHeadRequestGetsNoBody() {
    var harness = MachineHarness()
    harness.feed("HEAD /health HTTP/1.1\r\nHost: a b\r\n\r\n")
    #expect(String(decoding: harness.output, as: UTF8.self).hasSuffix("\r\n\r\n"))
    #expect(harness.output.starts(with: Array("HTTP/1.1 400 Bad Request\r\n".utf8)))
  }

  @Test func obsTextSurvives() {
    let value = Array(UInt8(0x80)...0xFF)
    var harness = MachineHarness()
    harness.feed(
      Array("GET /fields HTTP/1.1\r\nHost: a\r\nX: ".utf8) + value + Array("\r\n\r\n".utf8))
    #expect(harness.responses().last?.body == Array("x=".utf8) + value + [0x0A])
  }

  @Test(arguments: Door.allCases)
  func aHundredPipelinedRequestsAreAnsweredInOrder(_ door: Door) async throws {
    let test = try server(door)
    let answers = try await blocking {
      let client = test.connect()
      client.send(
        (0..<100).map { "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\(100 + $0)" }
          .joined())
      return (0..<100).map { _ in client.response()?.text }
    }
    #expect(answers == (0..<100).map { "\(100 + $0)" })
  }

  @Test(arguments: Door.allCases)
  func aBodyCutShortGetsNoAnswer(_ door: Door) async throws {
    let test = try server(door)
    for request in [
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
      "GET /health HTTP/1.1\r\nHo",
    ] {
      let rest = try await blocking {
        let client = test.connect()
        client.send(request)
        client.endOutput()
        return client.rest()
      }
      #expect(rest == [])
    }
  }

  @Test(arguments: Door.allCases)
  func bodiesUpToTheLimitAreTaken(_ door: Door) async throws {
    let test = try TestServer(door) { $0.maxBodyBytes = 1_000_000 }
    let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let (exact, over) = try await blocking {
      let client = test.connect()
      client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
      client.send(body)
      let exact = client.response()
      client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
      // Sends on long after the limit; the answer can be read all the same.
      for _ in 0..<40 { client.send(Array("10000\r\n".utf8) + body[..<65536] + Array("\r\n".utf8)) }
      return (exact, client.response())
    }
    #expect(exact?.body == body)
    #expect(over?.status == 413)
    #expect(over?["connection"] == "close")
  }

  @Test(arguments: Door.allCases)
  func aBodyTooLongIsRefusedBeforeItIsSent(_ door: Door) async throws {
    let test = try TestServer(door) { $0.maxBodyBytes = 1000 }
    let response = try await blocking {
      let client = test.connect()
      client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n")
      client.send([UInt8](repeating: 0, count: 20_000_000))
      return client.response()
    }
    #expect(response?.status == 413)
  }
}
