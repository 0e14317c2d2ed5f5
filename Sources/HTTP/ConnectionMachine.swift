import HTTPTypes

/// One connection, without its socket: told what happened and when, it says what to do.
///
/// The caller reports events, then performs what `next(at:)` returns until that is `.wait`, then
/// sleeps until an event or `deadline`. Requests are taken one at a time: the next one is not even
/// read before the last is answered, so a client that sends ahead fills its own buffers.
struct ConnectionMachine {
  // What is not private is so for ConnectionMachine+Answers.swift.
  typealias Instant = ContinuousClock.Instant

  enum Phase {
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

  struct Streaming {
    var framing: ResponseHead.Framing
    var isPulling = false
    var sent = 0
  }

  let limits: ServerLimits
  let remoteAddress: String
  var reader: RequestReader
  var phase = Phase.reading

  var output = OutputBuffer()

  /// Whether the socket may have something to read, or room to write: edges seen, and not yet used
  /// up.
  var isReadable = true
  var isWritable = true
  /// The client has sent FIN; it may be reading still.
  var peerClosed = false

  var head: RequestHead?
  var failure: HTTPFailure?
  /// Why nothing but a health check is served here.
  var restriction: HTTPFailure?
  /// Held for the answer under way.
  var answerMemory: MemoryReservation?
  /// Numbers requests, so that a late answer cannot meet another request.
  var requestNumber = 0
  /// `ResponseHead.start` of the coming answer is already on its way; see `probe`.
  var hasProbed = false
  var closesAfterAnswer = false
  var isDraining = false
  var isStopping = false
  /// Until then no further request is read: `Response.pause`.
  var pausedUntil: Instant?
  /// The idle limit has passed; what came in the meantime is still served.
  var hasIdledOut = false
  var lingeredBytes = 0
  /// What is to be done before anything else.
  var pending: [Action] = []

  /// Since when there is nothing to do but wait for a request, or for the end of lingering.
  var waitingSince: Instant
  var headStartedAt: Instant
  var headEndedAt: Instant
  var writingSince: Instant

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
      if let failure { return ask(.word(failure, part)) }
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
    if isStopping || hasIdledOut, isIdle {
      phase = .closed
      return .close(abruptly: false)
    }
    return .wait
  }

  var wantsInput: Bool {
    switch phase {
    case .reading: output.count < ServerLimits.maxUnsentBeforeNextRequest && !isPaused
    case .lingering: true
    default: false
    }
  }

  /// Not for a client that has gone, which is to be noticed, or is to be answered before.
  var isPaused: Bool { pausedUntil != nil && !peerClosed }

  var isIdle: Bool {
    guard case .reading = phase else { return false }
    return !reader.parser.isInsideRequest && output.isEmpty && failure == nil
  }

  mutating func ask(_ action: Action) -> Action {
    phase = .asking
    return action
  }

  /// Parses what was read; nil if that is used up.
  mutating func parse(at now: Instant) -> Action? {
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
            head.request, body: body, times: (receivedAt: headStartedAt, bodyReadAt: now))
        }
      }
    } catch {
      return ask(.word(error, part))
    }
  }

  private var part: RequestPart { reader.parser.part(remoteAddress: remoteAddress) }

  /// FIN alone does not tell a client that is gone from one that has only finished asking, and the
  /// latter is owed its answer (RFC 9112 section 9.6). The start that all answers share does: sent
  /// ahead it is part of the answer to the one, and comes back as RST from the other.
  mutating func probe(at now: Instant) {
    if hasProbed { return }
    hasProbed = true
    write(at: now) { $0.append(ResponseHead.start) }
  }

  mutating func finish(at now: Instant) -> Action {
    // Closing before the client has closed would answer what it still sends by RST, which could take
    // the answer with it (section 9.6).
    guard !peerClosed || isReadable || !reader.isUsedUp else {
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
      forget()
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
    releaseAnswer()
  }

  /// The answer's memory is held until its last byte is sent.
  mutating func releaseAnswer() {
    if case .streaming = phase { return }
    if output.isEmpty { answerMemory = nil }
  }

  /// The client was seen to take some of what was sent.
  mutating func madeProgress(at now: Instant) { writingSince = now }

  /// The connection cannot be used any more.
  mutating func broke() {
    breakOff(abruptly: true)
  }

  mutating func breakOff(abruptly: Bool) {
    switch phase {
    case .closed, .broken: return
    case .handling: pending.append(.cancel)
    case .streaming(let source, _): pending.append(.abandon(source))
    case .reading: forget()
    case .asking, .finishing, .lingering: break
    }
    phase = .broken(abruptly: abruptly)
  }

  /// The request whose body is being read will never be whole.
  mutating func forget() {
    if head != nil { pending.append(.forget) }
    head = nil
  }

  // MARK: Time

  /// When `expire(at:)` has something to do, if nothing happens before.
  var deadline: Instant? {
    let writing = output.isEmpty ? nil : writingSince + limits.writeTimeout
    let waiting: Instant?
    switch phase {
    case .lingering:
      waiting = waitingSince + limits.lingerTimeout
    case .reading where restriction != nil && !reader.parser.isInsideBody:
      waiting = waitingSince + ServerLimits.restrictedTimeout
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
    case .reading where restriction != nil && !reader.parser.isInsideBody:
      failure = restriction
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

  /// Tells the client why its connection is not served, or not any longer.
  mutating func reject(_ failure: HTTPFailure) {
    self.failure = failure
  }

  /// Forgets what is kept of requests that are not being answered, and closes after the answer under
  /// way, or tells the client why there is none; false if there was nothing to forget.
  mutating func dropRequests(_ failure: HTTPFailure) -> Bool {
    switch phase {
    case .reading:
      self.failure = failure
      return true
    case .handling, .streaming:
      guard reader.heldBytes > 0 else { return false }
      reader.drop()
      isDraining = true
      return true
    default:
      return false
    }
  }

  /// Serves nothing but a health check, and closes after it.
  mutating func restrict(to failure: HTTPFailure) {
    restriction = failure
  }

  /// Bytes kept of requests: of one that is not whole, the head of the one that is being answered, and
  /// what was read past it.
  var heldBytes: Int { reader.heldBytes + (head?.memoryBytes ?? 0) }

  /// Since when the client lets the server wait for a request's head, or for its FIN; nil while it
  /// sends a body or waits for an answer. A full server closes the connection that has waited
  /// longest for a new one.
  var waitingForClientSince: Instant? {
    switch phase {
    case .lingering: waitingSince
    case .reading where output.isEmpty && failure == nil && !reader.parser.isInsideBody:
      reader.parser.isInsideRequest ? headStartedAt : waitingSince
    default: nil
    }
  }

  /// Gives the connection's place to another one.
  mutating func evict() { breakOff(abruptly: false) }

  /// From now on every answer is the last of its connection. One between two requests stays: its client
  /// may just be sending the next.
  mutating func drain() {
    isDraining = true
    pausedUntil = nil
    // A request that has come at the last moment is still served.
    if isIdle { isReadable = true }
  }

  /// Draining, and a connection between two requests, or before the first, is closed.
  mutating func stop() {
    drain()
    isStopping = true
  }

  mutating func write(at now: Instant, _ body: (inout OutputBuffer) -> Void) {
    if output.isEmpty { writingSince = now }
    body(&output)
  }
}
