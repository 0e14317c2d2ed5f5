import HTTPTypes

/// One connection, without its socket: told what happened and when, it says what to do.
///
/// The caller reports events, then performs what `next(at:)` returns until that is `.wait`, then
/// sleeps until an event or `deadline`. Requests are taken one at a time: the next one is not even
/// read before the last is answered, so a client that sends ahead fills its own buffers.
struct ConnectionMachine {
  typealias Instant = ContinuousClock.Instant

  private enum Phase {
    /// Between requests or inside one.
    case reading
    /// An action that is answered before `next` is called again.
    case asking
    case handling
    case streaming(any BodySource, Streaming)
    /// The last answer is being sent.
    case finishing
    /// All is sent, FIN too; what comes is thrown away until the client closes.
    case lingering
    case broken(abruptly: Bool)
    case closed
  }

  private struct Streaming {
    var framing: ResponseHead.Framing
    var isPulling = false
    var sent = 0
  }

  private let limits: ServerLimits
  let remoteAddress: String
  private var reader: RequestReader
  private var phase = Phase.reading

  private(set) var output = OutputBuffer()

  /// Whether the socket may have something to read, or room to write: edges seen, and not yet used
  /// up.
  private var isReadable = true
  private var isWritable = true
  /// The client has sent FIN; it may be reading still.
  private var peerClosed = false

  private var head: RequestHead?
  private var failure: HTTPFailure?
  /// Numbers requests, so that a late answer cannot meet another request.
  private(set) var requestNumber = 0
  /// `ResponseHead.start` of the coming answer is already on its way; see `probe`.
  private var hasProbed = false
  /// Nothing more is served after the answer under way, and the client may be sending still.
  private var lingers = false
  private var closesAfterAnswer = false
  private var isDraining = false
  private var isStopping = false
  /// Until then no further request is read: `Response.pause`.
  private var pausedUntil: Instant?
  /// The idle limit has passed; what came in the meantime is still served.
  private var hasIdledOut = false
  private var lingeredBytes = 0
  /// What is to be done before anything else.
  private var pending: [Action] = []

  /// Since when there is nothing to do but wait for a request, or for the end of lingering.
  private var waitingSince: Instant
  private var headStartedAt: Instant
  private var headEndedAt: Instant
  private var writingSince: Instant

  init(limits: ServerLimits, remoteAddress: String, openedAt now: Instant) {
    self.limits = limits
    self.remoteAddress = remoteAddress
    reader = RequestReader(limits: limits)
    waitingSince = now
    headStartedAt = now
    headEndedAt = now
    writingSince = now
  }

  // MARK: What to do

  mutating func next(at now: Instant) -> Action {
    if !pending.isEmpty { return pending.removeFirst() }
    switch phase {
    case .broken(let abruptly):
      phase = .closed
      return .close(abruptly: abruptly)
    case .closed, .asking:
      return .wait
    case .reading:
      if let failure { return ask(.word(failure, path: reader.parser.path)) }
      if wantsInput, let action = parse(at: now) { return action }
    case .handling:
      if peerClosed { probe(at: now) }
    case .streaming(let source, var streaming):
      if !streaming.isPulling, output.count < ServerLimits.outputLowWater {
        streaming.isPulling = true
        phase = .streaming(source, streaming)
        return .pull(source)
      }
    case .finishing:
      if output.isEmpty { return finish(at: now) }
    case .lingering:
      break
    }
    if !output.isEmpty, isWritable { return .send }
    if isReadable, wantsInput { return .read }
    if isStopping || hasIdledOut || isDraining && requestNumber > 0, isIdle {
      phase = .closed
      return .close(abruptly: false)
    }
    return .wait
  }

  private var wantsInput: Bool {
    switch phase {
    case .reading: output.count < ServerLimits.outputLowWater && !isPaused
    case .lingering: true
    default: false
    }
  }

  /// Not for a client that has gone, which is to be noticed, or is to be answered before.
  private var isPaused: Bool { pausedUntil != nil && !peerClosed }

  private var isIdle: Bool {
    guard case .reading = phase else { return false }
    return !reader.parser.isInsideRequest && output.isEmpty && failure == nil
  }

  private mutating func ask(_ action: Action) -> Action {
    phase = .asking
    return action
  }

  /// Parses what was read; nil if that is used up.
  private mutating func parse(at now: Instant) -> Action? {
    do throws(HTTPFailure) {
      while true {
        let wasInsideRequest = reader.parser.isInsideRequest
        let step = try reader.next()
        if !wasInsideRequest { headStartedAt = now }
        switch step {
        case .needsMore:
          return nil
        case .head(let head):
          headEndedAt = now
          self.head = head
          return ask(.examine(head.request))
        case .body(let body):
          // Without a head this was the body of a refused request.
          guard let head else { continue }
          phase = .handling
          requestNumber += 1
          return .handle(
            Request(
              head: head.request, body: body, receivedAt: headStartedAt, bodyReadAt: now,
              remoteAddress: remoteAddress))
        }
      }
    } catch {
      return ask(.word(error, path: reader.parser.path))
    }
  }

  /// FIN alone does not tell a client that is gone from one that has only finished asking, and the
  /// latter is owed its answer (RFC 9112 section 9.6). The start that all answers share does: sent
  /// ahead it is part of the answer to the one, and comes back as RST from the other.
  private mutating func probe(at now: Instant) {
    if hasProbed { return }
    hasProbed = true
    write(at: now) { $0.append(ResponseHead.start) }
  }

  private mutating func finish(at now: Instant) -> Action {
    // Closing over unread bytes would send RST and could take the answer with it (section 9.6).
    guard lingers || isReadable || !reader.isUsedUp else {
      phase = .closed
      return .close(abruptly: false)
    }
    reader.drop()
    waitingSince = now
    phase = .lingering
    return .endOutput
  }

  // MARK: What the socket did

  /// What the event source says: edges.
  mutating func becameReady(readable: Bool, writable: Bool, peerClosed: Bool, broken: Bool) {
    isReadable = isReadable || readable || peerClosed
    isWritable = isWritable || writable
    self.peerClosed = self.peerClosed || peerClosed
    if broken { broke() }
  }

  /// - Parameter isAll: there are no more, so that the socket is read up for now.
  mutating func received(_ bytes: ByteSpan, isAll: Bool) {
    // After FIN there is no further edge: read on until the end.
    if isAll, !peerClosed { isReadable = false }
    if case .lingering = phase {
      lingeredBytes += bytes.count
      if lingeredBytes > ServerLimits.maxLingerBytes { breakOff(abruptly: true) }
      return
    }
    hasIdledOut = false
    reader.append(bytes)
  }

  mutating func readWouldBlock() {
    isReadable = false
  }

  /// The client has sent its last byte, and it is read: nothing whole can follow.
  mutating func endOfInput() {
    isReadable = false
    peerClosed = true
    switch phase {
    case .reading:
      // What was answered before is still sent.
      closesAfterAnswer = true
      if output.isEmpty { breakOff(abruptly: false) } else { phase = .finishing }
    case .lingering:
      breakOff(abruptly: false)
    default:
      break
    }
  }

  /// - Parameter isAll: as many as the socket has room for, so that it is full for now.
  mutating func sent(_ count: Int, isAll: Bool, at now: Instant) {
    if isAll { isWritable = false }
    if count > 0 { writingSince = now }
    output.drop(count)
  }

  /// The connection cannot be used any more.
  mutating func broke() {
    breakOff(abruptly: true)
  }

  private mutating func breakOff(abruptly: Bool) {
    switch phase {
    case .closed, .broken: return
    case .handling: pending.append(.cancel)
    case .streaming(let source, _): pending.append(.abandon(source))
    case .reading, .asking, .finishing, .lingering: break
    }
    phase = .broken(abruptly: abruptly)
  }

  // MARK: Time

  /// When `expire(at:)` has something to do, if nothing happens before.
  var deadline: Instant? {
    let writing = output.isEmpty ? nil : writingSince + limits.writeTimeout
    let waiting: Instant?
    switch phase {
    case .lingering:
      waiting = waitingSince + limits.lingerTimeout
    case .reading where isPaused:
      waiting = pausedUntil
    case .reading where wantsInput:
      if reader.parser.isInsideBody {
        waiting = headEndedAt + limits.bodyTimeout
      } else if reader.parser.isInsideRequest {
        waiting = headStartedAt + limits.headerTimeout
      } else if requestNumber == 0 {
        waiting = waitingSince + limits.headerTimeout
      } else {
        waiting = max(waitingSince, writingSince) + limits.idleTimeout
      }
    default:
      waiting = nil
    }
    guard let writing, let waiting else { return writing ?? waiting }
    return min(writing, waiting)
  }

  mutating func expire(at now: Instant) {
    guard let deadline, deadline <= now else { return }
    if !output.isEmpty, writingSince + limits.writeTimeout <= now {
      breakOff(abruptly: true)
      return
    }
    switch phase {
    case .reading where isPaused:
      pausedUntil = nil
    case .reading where reader.parser.isInsideBody:
      // A body that is being thrown away has its answer already.
      if head == nil { breakOff(abruptly: true) } else { failure = .bodyTimeout }
    case .reading where reader.parser.isInsideRequest:
      failure = .headTimeout
    case .reading:
      // One more look: a request may have come at the last moment.
      hasIdledOut = true
      isReadable = true
    default:
      breakOff(abruptly: false)
    }
  }

  // MARK: What the server wants

  /// Tells a connection that is not served why.
  mutating func reject(_ failure: HTTPFailure) {
    self.failure = failure
  }

  /// From now on every answer is the last of its connection; one between two requests is closed.
  mutating func drain() {
    isDraining = true
    pausedUntil = nil
    // A request that has come at the last moment is still served.
    if isIdle { isReadable = true }
  }

  /// Draining, and a connection that has sent nothing yet is closed too.
  mutating func stop() {
    drain()
    isStopping = true
  }

  // MARK: What the handler did

  mutating func proceed(at now: Instant) {
    guard case .asking = phase, let head else { return }
    phase = .reading
    if head.expectsContinue, head.hasBody {
      write(at: now) { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
    }
  }

  mutating func refuse(_ response: Response, dateLine: [UInt8], at now: Instant) {
    guard case .asking = phase, let head else { return }
    requestNumber += 1
    var canGoOn = !head.hasBody
    if case .length(let length) = head.framing {
      canGoOn = canGoOn || length <= ServerLimits.maxDiscardedBody && !head.expectsContinue
    }
    if canGoOn { reader.discardBody() } else { lingers = true }
    answer(response, closing: !canGoOn, dateLine, at: now)
  }

  /// The worded failure: the last answer.
  mutating func explain(_ response: Response, dateLine: [UInt8], at now: Instant) {
    guard case .asking = phase else { return }
    failure = nil
    lingers = true
    answer(response, closing: true, dateLine, at: now)
  }

  mutating func respond(
    _ response: Response, to number: Int, dateLine: [UInt8], at now: Instant
  ) {
    guard case .handling = phase, number == requestNumber else {
      if case .stream(let source, _) = response.body { pending.append(.abandon(source)) }
      return
    }
    if response.pause > .zero, !isDraining { pausedUntil = now + response.pause }
    answer(response, closing: false, dateLine, at: now)
  }

  private mutating func answer(
    _ response: Response, closing: Bool, _ dateLine: [UInt8], at now: Instant
  ) {
    let plan = AnswerPlan(
      response, isHead: (head?.request.method ?? reader.parser.method) == .head,
      isVersion10: head?.isVersion10 ?? false,
      closing: closing || isDraining || !(head?.keepsAlive ?? false))
    closesAfterAnswer = plan.closes
    let hasStarted = hasProbed
    write(at: now) { output in
      if !hasStarted { output.append(ResponseHead.start) }
      ResponseHead.write(
        response, framing: plan.framing, persistence: plan.persistence, dateLine: dateLine,
        to: &output)
    }
    hasProbed = false
    switch response.body {
    case .bytes(let bytes):
      if plan.sendsBody { write(at: now) { $0.append(bytes) } }
    case .stream(let source, _):
      if plan.sendsBody {
        phase = .streaming(source, Streaming(framing: plan.framing))
        return
      }
      pending.append(.abandon(source))
    }
    finishAnswer(at: now)
  }

  private mutating func finishAnswer(at now: Instant) {
    head = nil
    waitingSince = now
    phase = closesAfterAnswer ? .finishing : .reading
  }

  /// A piece of the body asked for by `.pull`.
  mutating func deliver(_ piece: BodyPiece, to number: Int, at now: Instant) {
    guard number == requestNumber, case .streaming(let source, var streaming) = phase,
      streaming.isPulling
    else { return }
    streaming.isPulling = false
    switch piece {
    case .bytes(let bytes):
      streaming.sent += bytes.count
      if case .length(let length) = streaming.framing, streaming.sent > length {
        breakOff(abruptly: true)
        return
      }
      phase = .streaming(source, streaming)
      if bytes.isEmpty { return }  // As a chunk it would be the last one.
      guard case .chunked = streaming.framing else {
        write(at: now) { $0.append(bytes) }
        return
      }
      write(at: now) { output in
        output.append { $0.append(contentsOf: "\(String(bytes.count, radix: 16))\r\n".utf8) }
        output.append(bytes)
        output.append("\r\n")
      }
    case .end:
      if case .length(let length) = streaming.framing, streaming.sent < length {
        phase = .broken(abruptly: true)
        return
      }
      if case .chunked = streaming.framing { write(at: now) { $0.append("0\r\n\r\n") } }
      finishAnswer(at: now)
    case .failed:
      phase = .broken(abruptly: true)
    }
  }

  private mutating func write(at now: Instant, _ body: (inout OutputBuffer) -> Void) {
    if output.isEmpty { writingSince = now }
    body(&output)
  }
}
