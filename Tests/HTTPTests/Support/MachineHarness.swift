@testable import HTTP

extension ServerLimits {
  /// Small and large enough for what tests send.
  static let test = ServerLimits(
    maxConnections: 1024, maxTargetBytes: 8192, maxFieldBytes: 16_384, maxHeaderBytes: 32_768,
    maxHeaderCount: 100, maxBodyBytes: 16 << 20, headerTimeout: .seconds(15),
    bodyTimeout: .seconds(30), idleTimeout: .seconds(75), writeTimeout: .seconds(30))
}

/// A connection with neither socket nor clock: pieces go in, bytes come out.
struct MachineHarness {
  var machine: ConnectionMachine
  var now: ContinuousClock.Instant
  private(set) var output: [UInt8] = []
  private(set) var isClosed = false
  private(set) var wasAbrupt = false
  private(set) var hasEndedOutput = false
  private(set) var cancellations = 0
  private(set) var forgotten = 0
  private(set) var pulls = 0
  private(set) var abandoned = 0
  /// Requests that were handed over, for tests that answer by hand.
  private(set) var handled: [Request] = []
  private var pieces: [[UInt8]] = []
  /// Bytes the client's end still takes.
  var window = Int.max
  var answersByItself = true
  /// Whether the pieces are followed by FIN.
  var peerHasClosed = false

  static let dateLine = Array("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".utf8)

  init(limits: ServerLimits = ServerLimits.test) {
    now = .now
    machine = ConnectionMachine(limits: limits, remoteAddress: "127.0.0.1:1", openedAt: now)
    run()
  }

  mutating func feed(_ piece: [UInt8]) {
    if piece.isEmpty { return }
    pieces.append(piece)
    ready(readable: true)
  }

  mutating func feed(_ text: String) { feed(Array(text.utf8)) }

  mutating func ready(
    readable: Bool = false, writable: Bool = false, peerClosed: Bool = false, broken: Bool = false
  ) {
    machine.becameReady(
      readable: readable, writable: writable, peerClosed: peerClosed, broken: broken)
    run()
  }

  /// The bytes are on the socket, and nobody has been told.
  mutating func arrives(_ text: String) { pieces.append(Array(text.utf8)) }

  /// Pieces on the socket.
  var unread: Int { pieces.count }

  mutating func respond(_ response: Response) {
    machine.respond(
      response, to: machine.requestNumber, dateLine: Self.dateLine, at: now)
    run()
  }

  mutating func deliver(_ piece: BodyPiece) {
    machine.deliver(piece, to: machine.requestNumber, at: now)
    run()
  }

  mutating func pass(_ duration: Duration) {
    now += duration
    machine.expire(at: now)
    run()
  }

  mutating func run() {
    // Far more steps than bytes: a machine that does not come to rest is a defect.
    for _ in 0..<100_000 {
      switch machine.next(at: now) {
      case .wait: return
      case .read:
        if pieces.isEmpty {
          if peerHasClosed { machine.endOfInput() } else { machine.readWouldBlock() }
        } else {
          let piece = pieces.removeFirst()
          machine.received(piece.span, isAll: pieces.isEmpty)
        }
      case .send:
        let all = machine.output.withNext { first, second in
          (0..<first.count).map { first[$0] } + (0..<second.count).map { second[$0] }
        }
        let taken = min(all.count, window)
        if window != .max { window -= taken }
        output += all[..<taken]
        machine.sent(taken, isAll: taken < all.count, at: now)
      case .examine(let head):
        switch TinyHandler.examine(head) {
        case .readBody: machine.proceed(at: now)
        case .discardBody: machine.proceed(keepingBody: false, at: now)
        case .refuse(let response):
          machine.refuse(response, dateLine: Self.dateLine, at: now)
        }
      case .handle(let head, let body, let times):
        let request = Request(
          head: head, body: body, receivedAt: times.receivedAt, bodyReadAt: times.bodyReadAt,
          remoteAddress: machine.remoteAddress, memory: MemoryReservation(MemoryBudget()))
        handled.append(request)
        if answersByItself {
          machine.respond(
            TinyHandler.answer(request), to: machine.requestNumber, dateLine: Self.dateLine,
            at: now)
        }
      case .word(let failure, _):
        machine.explain(TinyHandler.malformed(failure), dateLine: Self.dateLine, at: now)
      case .pull: pulls += 1
      case .cancel: cancellations += 1
      case .abandon: abandoned += 1
      case .forget: forgotten += 1
      case .endOutput: hasEndedOutput = true
      case .close(let abruptly):
        isClosed = true
        wasAbrupt = abruptly
        return
      }
    }
    fatalError("the machine does not come to rest")
  }

  /// Whether FIN is sent first and the socket closed when the client's own FIN has come (RFC 9112
  /// section 9.6).
  mutating func closesInStages() -> Bool {
    guard hasEndedOutput, !isClosed else { return false }
    peerHasClosed = true
    ready(readable: true, peerClosed: true)
    return isClosed && !wasAbrupt
  }

  /// The answers so far.
  func responses() -> [RawResponse] {
    var bytes = output
    var responses: [RawResponse] = []
    while let response = RawResponse.take(from: &bytes, isOver: isClosed || hasEndedOutput) {
      responses.append(response)
    }
    return responses
  }
}
