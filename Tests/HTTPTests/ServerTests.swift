import Glibc
import HTTP
import HTTPTypes
import Synchronization
import Testing

/// A server's life, with real clients. One after another: some count the process's descriptors.
@Suite(.serialized) struct ServerTests {
  private static let get = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
  private static let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"

  /// Answers the next request that waits in `/slow`.
  private static func answerSlow(_ test: TestServer, _ text: String) -> Bool {
    guard eventually({ test.handler.waiting.withLock { !$0.isEmpty } }) else { return false }
    let responder = test.handler.waiting.withLock { $0.removeFirst() }
    responder.respond(Response(status: .ok, bytes: Array(text.utf8)))
    return true
  }

  @Test(arguments: Door.allCases)
  func anAnswerMayComeLaterFromAnyThread(_ door: Door) async throws {
    let test = try TestServer(door)
    let texts = try await blocking {
      let client = test.connect()
      client.send(Self.slow + Self.get)
      guard Self.answerSlow(test, "slow") else { return [String]() }
      return [client.response()?.text ?? "", client.response()?.text ?? ""]
    }
    #expect(texts == ["slow", "ok\n"])
  }

  @Test(arguments: Door.allCases)
  func aDroppedResponderAnswers500(_ door: Door) async throws {
    let test = try TestServer(door)
    let responses = try await blocking {
      let client = test.connect()
      client.send("GET /dropped HTTP/1.1\r\nHost: a\r\n\r\n" + Self.get)
      return [client.response(), client.response()]
    }
    #expect(responses.map { $0?.status } == [500, 200])
    #expect(test.events.all == [.unanswered(path: "/dropped")])
    #expect(test.server.statistics.requestsInFlight == 0)
  }

  @Test(arguments: Door.allCases)
  func aHalfClosedClientGetsItsAnswer(_ door: Door) async throws {
    let test = try TestServer(door)
    let (response, rest, cancelled) = try await blocking {
      let client = test.connect()
      client.send(Self.slow)
      client.endOutput()
      usleep(50_000)
      _ = Self.answerSlow(test, "late")
      let response = client.response()
      return (response, client.rest(), test.handler.cancelled.load(ordering: .relaxed))
    }
    #expect(response?.status == 200)
    #expect(response?.version == "HTTP/1.1")
    #expect(response?.text == "late")
    #expect(rest == [])
    #expect(cancelled == 0)
  }

  /// FIN or RST, first request or pipelined ones behind it.
  @Test(arguments: [(false, false), (false, true), (true, false), (true, true)], Door.allCases)
  func aClientThatIsGoneCancels(_ how: (resets: Bool, pipelines: Bool), _ door: Door) async throws {
    let (resets, pipelines) = how
    let test = try TestServer(door)
    let isCancelled = try await blocking {
      do {
        let client = test.connect()
        // No more than the socket buffers hold: FIN waits behind what the server does not read.
        client.send(Self.slow + (pipelines ? String(repeating: Self.get, count: 1000) : ""))
        guard eventually({ test.server.statistics.requestsInFlight == 1 }) else { return false }
        if resets { client.resetOnClose() }
      }
      return eventually { test.handler.cancelled.load(ordering: .relaxed) == 1 }
    }
    #expect(isCancelled)
    let responder = test.handler.waiting.withLock { $0.removeFirst() }
    #expect(responder.isCancelled)
    #expect(test.server.statistics.requestsInFlight == 0)
    #expect(test.server.statistics.cancelled == 1)
    // Told at once when asked afterwards; an answer now is for nobody.
    let told = Mutex(false)
    responder.onCancel { told.withLock { $0 = true } }
    #expect(told.withLock { $0 })
    responder.respond(Response(status: .ok))
    let closed = try await blocking {
      eventually { test.server.statistics.openConnections == 0 }
    }
    #expect(closed)
  }

  @Test(arguments: Door.allCases)
  func manyConnectionsThatComeAndGoLeaveNothing(_ door: Door) async throws {
    let test = try TestServer(door)
    func descriptors() -> Int {
      guard let directory = unsafe opendir("/proc/self/fd") else { return -1 }
      defer { unsafe closedir(directory) }
      var count = 0
      while unsafe readdir(directory) != nil { count += 1 }
      return count
    }
    // A handshake costs as much as many connections.
    let count = door == .plain ? 4000 : 800
    let before = descriptors()
    let (answered, isOver) = try await blocking {
      var answered = 0
      for index in 0..<count {
        let client = test.connect()
        switch index % 4 {
        case 0:
          client.send(Self.get)
          if client.response()?.status == 200 { answered += 1 }
        case 1:
          client.send(Self.get)
          client.resetOnClose()
        case 2:
          client.send("GET /hea")
        default:
          break
        }
      }
      // One look: a connection is counted as accepted a moment before it is as open.
      let isOver = eventually {
        let statistics = test.server.statistics
        return statistics.acceptedConnections == count && statistics.openConnections == 0
          && statistics.requestsInFlight == 0
      }
      return (answered, isOver)
    }
    #expect(answered == count / 4)
    #expect(isOver)
    // Other suites open and close descriptors meanwhile, but not thousands.
    #expect(descriptors() < before + 1000)
  }

  /// All places are taken by requests under way: others get 503, health checks their answer.
  @Test(arguments: Door.allCases)
  func connectionsOverTheLimitGetHealthChecksOnly(_ door: Door) async throws {
    let test = try TestServer(door) { $0.maxConnections = 3 }
    let (refused, checked, silent) = try await blocking {
      let busy = (0..<3).map { _ in test.connect() }
      for client in busy { client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") }
      _ = eventually { test.handler.waiting.withLock { $0.count } == 3 }
      // Far more than are open at a time; those that say nothing give way to the others.
      let silent = (0..<100).map { _ in test.connect() }
      var refused: [Int?] = []
      var checked: [Int?] = []
      for _ in 0..<20 {
        let client = test.connect()
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        refused.append(client.response()?.status)
        let check = test.connect()
        check.send(Self.get + Self.get)
        checked.append(check.response()?.status)
        _ = check.rest()
      }
      for responder in test.handler.waiting.withLock({ $0 }) {
        responder.respond(Response(status: .ok))
      }
      _ = busy
      return (refused, checked, silent.count)
    }
    #expect(refused == Array(repeating: 503, count: 20))
    #expect(checked == Array(repeating: 200, count: 20))
    #expect(test.server.statistics.rejectedConnections == silent + 40)
  }

  /// A full server closes the connection that has been idle longest, of a queue, for the new one.
  @Test(arguments: Door.allCases)
  func anIdleConnectionGivesItsPlaceToANewOne(_ door: Door) async throws {
    let test = try TestServer(door, ioQueueCount: 1) { $0.maxConnections = 3 }
    let (statuses, rest, kept) = try await blocking {
      let clients = (0..<3).map { _ in test.connect() }
      for client in clients {
        client.send(Self.get)
        _ = client.response()
      }
      var statuses: [Int?] = []
      for _ in 0..<2 {
        let client = test.connect()
        client.send(Self.get)
        statuses.append(client.response()?.status)
        client.endOutput()
        _ = client.rest()
      }
      let rest = clients[0].rest()
      clients[2].send(Self.get)
      return (statuses, rest, clients[2].response()?.status)
    }
    #expect(statuses == [200, 200])
    #expect(rest == [])
    #expect(kept == 200)
    #expect(test.server.statistics.evictedConnections >= 1)
    #expect(test.server.statistics.rejectedConnections == 0)
  }

  @Test(arguments: Door.allCases)
  func drainingAndStopping(_ door: Door) async throws {
    let test = try TestServer(door)
    let (drained, idleRest, fresh) = try await blocking {
      let idle = test.connect()
      idle.send(Self.get)
      _ = idle.response()
      let busy = test.connect()
      busy.send(Self.slow)
      _ = eventually { test.handler.waiting.withLock { !$0.isEmpty } }
      test.server.beginDrain()
      // The drain reaches each queue in its time; from then on an answer is the last.
      var last: RawResponse?
      let isLast = eventually {
        idle.send(Self.get)
        last = idle.response()
        return last?["connection"] == "close"
      }
      let idleRest = isLast ? idle.rest() : nil
      let fresh = test.connect()
      fresh.send(Self.get)
      let freshResponse = fresh.response()
      _ = Self.answerSlow(test, "done")
      return (busy.response(), idleRest, freshResponse)
    }
    #expect(idleRest == [])
    #expect(drained?["connection"] == "close")
    #expect(drained?.text == "done")
    #expect(fresh?.status == 200)
    #expect(fresh?["connection"] == "close")

    let (order, halfSent, refused) = try await blocking {
      let busy = test.connect()
      busy.send(Self.slow)
      let half = test.connect()
      half.send("GET /health HT")
      _ = eventually { test.handler.waiting.withLock { !$0.isEmpty } }
      _ = eventually { test.server.statistics.openConnections == 2 }
      usleep(50_000)
      let order = Mutex<[String]>([])
      test.server.stop { order.withLock { $0.append("stopped") } }
      usleep(50_000)
      let refused = test.connect().isAtEnd
      half.send("TP/1.1\r\nHost: a\r\n\r\n")
      let halfSent = half.response()
      order.withLock { $0.append("answering") }
      _ = Self.answerSlow(test, "done")
      _ = busy.response()
      _ = eventually { order.withLock { $0.count == 2 } }
      return (order.withLock { $0 }, halfSent, refused)
    }
    #expect(order == ["answering", "stopped"])
    #expect(halfSent?.status == 200)
    #expect(refused)
    #expect(test.server.statistics.openConnections == 0)
  }

  @Test(arguments: Door.allCases)
  func aSlowReaderHoldsTheSourceBack(_ door: Door) async throws {
    let test = try TestServer(door)
    let source = CountingSource(pieces: 160, size: 65_536)
    test.handler.sources.withLock { $0["s"] = source }
    let (pulledEarly, body) = try await blocking {
      let client = RawClient(test, receiveBuffer: 65_536)
      client.send("GET /stream?s HTTP/1.1\r\nHost: a\r\n\r\n")
      // 10 MB are more than both sockets' buffers hold; let it come to rest.
      var pulled = -1
      while pulled != source.pulled.load(ordering: .relaxed) {
        pulled = source.pulled.load(ordering: .relaxed)
        usleep(200_000)
      }
      return (pulled, client.response()?.body)
    }
    #expect(pulledEarly < 160)
    #expect(pulledEarly > 0)
    #expect(body?.count == 160 * 65_536)
    #expect(body?.last == 159)
  }

  @Test(arguments: Door.allCases)
  func aStreamsClientThatIsGoneIsToldToTheSource(_ door: Door) async throws {
    let test = try TestServer(door)
    let source = CountingSource(pieces: 100_000, size: 65_536)
    test.handler.sources.withLock { $0["s"] = source }
    let abandoned = try await blocking {
      do {
        let client = test.connect()
        client.send("GET /stream?s HTTP/1.1\r\nHost: a\r\n\r\n")
        client.readOnce()
      }
      return eventually { source.abandoned.load(ordering: .relaxed) == 1 }
    }
    #expect(abandoned)
  }

  @Test(arguments: Door.allCases)
  func aSourceThatForgetsItsDeliveryBreaksTheAnswerOff(_ door: Door) async throws {
    let test = try TestServer(door)
    test.handler.sources.withLock { $0["s"] = SilentSource() }
    let rest = try await blocking {
      let client = test.connect()
      client.send("GET /stream?s HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = client.rest()
      return client.wasReset
    }
    #expect(rest)
    #expect(test.events.all == [.unfinished])
  }

  @Test(arguments: Door.allCases)
  func deadlinesPassOnARealClockToo(_ door: Door) async throws {
    let test = try TestServer(door) {
      $0.headerTimeout = .milliseconds(200)
      $0.idleTimeout = .milliseconds(200)
    }
    let (status, idle, silent) = try await blocking {
      let trickling = test.connect()
      trickling.send("GET /hea")
      let idle = test.connect()
      idle.send(Self.get)
      _ = idle.response()
      let silent = test.connect()
      return (trickling.response()?.status, idle.rest(), silent.rest())
    }
    #expect(status == 408)
    #expect(idle == [])
    #expect(silent == [])
  }

  /// Both connections on one queue; one sends without end and reads all the while.
  @Test(arguments: Door.allCases)
  func oneGreedyConnectionDoesNotStarveOthers(_ door: Door) async throws {
    let test = try TestServer(door, ioQueueCount: 1)
    let isOver = Atomic(false)
    async let greedy = blocking {
      let client = test.connect()
      let requests = String(repeating: Self.get, count: 500)
      while !isOver.load(ordering: .relaxed) {
        client.send(requests)
        for _ in 0..<500 { _ = client.response() }
      }
    }
    let statuses = try await blocking {
      defer { isOver.store(true, ordering: .relaxed) }
      return (0..<20).map { _ in
        let client = test.connect()
        client.send(Self.get)
        return client.response()?.status
      }
    }
    try await greedy
    #expect(statuses.allSatisfy { $0 == 200 })
  }

  @Test(arguments: ["127.0.0.1", "::1", "localhost", "0.0.0.0"])
  func hostsMayBeAddressesOrNames(_ host: String) throws {
    let server = Server(
      host: host, port: 0, limits: .test, handler: TinyHandler(), log: { _ in })
    do {
      let address = try server.start()
      #expect(address.port > 0)
      #expect(!address.host.isEmpty)
      server.stop {}
    } catch {
      // A machine without IPv6 says so.
      guard host == "::1", case .cannotListen = error else { throw error }
    }
  }

  @Test func aServerThatCannotListenSaysWhy() throws {
    let first = Server(
      host: "127.0.0.1", port: 0, limits: .test, handler: TinyHandler(), log: { _ in })
    let port = try first.start().port
    defer { first.stop {} }
    func failure(_ host: String, _ port: Int) -> HTTPServerError? {
      let server = Server(
        host: host, port: port, limits: .test, handler: TinyHandler(), log: { _ in })
      do throws(HTTPServerError) {
        _ = try server.start()
        return nil
      } catch { return error }
    }
    guard case .cannotListen(_, port, EADDRINUSE, _) = failure("127.0.0.1", port) else {
      Issue.record("no failure")
      return
    }
    guard case .unknownHost = failure("no.such.host.invalid", 0) else {
      Issue.record("no failure")
      return
    }
    #expect(throws: HTTPServerError.alreadyStarted) { try first.start() }
  }
}

/// Delivers pieces of one byte value each, at once.
private final class CountingSource: BodySource {
  let pulled = Atomic(0)
  let abandoned = Atomic(0)
  private let pieces: Int
  private let size: Int

  init(pieces: Int, size: Int) {
    self.pieces = pieces
    self.size = size
  }

  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
    let index = pulled.load(ordering: .relaxed)
    if index == pieces { return deliver(.end) }
    pulled.add(1, ordering: .relaxed)
    deliver(.bytes([UInt8](repeating: UInt8(index & 0xFF), count: size)))
  }

  func abandon() { abandoned.add(1, ordering: .relaxed) }
}
