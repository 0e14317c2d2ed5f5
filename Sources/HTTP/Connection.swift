import HTTPTypes

/// Performs what a connection's machine decides: the thin shell between it, the socket and the
/// handler.
///
/// `@unchecked Sendable`: everything that changes does so on the queue of `io`, the only place `run` and
/// what it calls are entered from; `answer` and `lost` may be called anywhere and go there.
final class Connection: @unchecked Sendable {
  let id: UInt64
  var admission: Occupancy.Admission
  private let io: IOQueue
  private var transport: Transport
  private var machine: ConnectionMachine
  /// Weak, so that a handler that drops its responder is noticed.
  private weak var responder: Responder?
  /// The one whose head is read, until it is handed on or its failure is worded.
  private var request: (any HandledRequest)?
  private var isRunning = false
  /// What the connection holds of the memory budget for requests that it keeps, once that is more than
  /// a small head's bytes.
  private var memory: MemoryReservation?
  /// Whether it is counted among the connections that another one may take the place of.
  private var isCountedAsWaiting = false

  /// Of what was sent, when the client was last seen to take some of it.
  private var unacknowledgedBytes = 0
  /// Waits for its next turn on the queue.
  private var isDeferred = false

  /// Then the queue's other connections get their turn.
  private static let turn = Duration.milliseconds(1)

  init(
    id: UInt64, io: IOQueue, transport: Transport, remoteAddress: String,
    admission: Occupancy.Admission, openedAt now: ContinuousClock.Instant
  ) {
    self.id = id
    self.admission = admission
    self.io = io
    self.transport = transport
    machine = ConnectionMachine(
      limits: io.context.limits, remoteAddress: remoteAddress, openedAt: now)
    if case .restricted(let failure, _) = admission { machine.restrict(to: failure) }
  }

  // MARK: From any thread

  func answer(_ response: Response, to number: Int) {
    io.perform { [self] in
      io.counters.inFlight.add(-1)
      machine.respond(response, to: number, dateLine: io.dateLine, at: .now)
      run()
    }
  }

  /// The handler dropped its responder.
  func lost(_ number: Int, _ request: any HandledRequest, path: String) {
    io.context.log(.unanswered(path: path))
    answer(request.failed(.unanswered), to: number)
  }

  func deliver(_ piece: BodyPiece, to number: Int) {
    io.perform { [self] in
      machine.deliver(piece, to: number, at: .now)
      run()
    }
  }

  /// A body source dropped its delivery.
  func lostPiece(_ number: Int) {
    io.context.log(.unfinished)
    deliver(.failed, to: number)
  }

  // MARK: On the I/O queue

  func becameReady(_ readiness: Readiness) {
    // TLS may have to send before it can receive, and the other way round.
    let isEither = transport.isTLS && (readiness.isReadable || readiness.isWritable)
    machine.becameReady(
      readable: readiness.isReadable || isEither, writable: readiness.isWritable || isEither,
      peerClosed: readiness.peerClosed, broken: readiness.isBroken)
    run()
  }

  var deadline: ContinuousClock.Instant? { machine.deadline }

  func expire(at now: ContinuousClock.Instant) {
    // A socket becomes writable again only when a good part of its buffer is free.
    if !machine.output.isEmpty {
      let left = transport.socket.unacknowledgedBytes
      if left < unacknowledgedBytes { machine.madeProgress(at: now) }
      unacknowledgedBytes = left
    }
    machine.expire(at: now)
    run()
  }

  /// See `ConnectionMachine.waitingForClientSince`.
  var waitingForClientSince: ContinuousClock.Instant? { machine.waitingForClientSince }

  func evict() {
    isDeferred = false
    if isCountedAsWaiting { io.countWaiting(-1) }
    isCountedAsWaiting = false
    machine.evict()
    run()
  }

  func drain(stopping: Bool) {
    if stopping { machine.stop() } else { machine.drain() }
    run()
  }

  /// The turn that `IOQueue.later` has promised.
  func runDeferred() {
    isDeferred = false
    run()
  }

  /// Performs actions until there is nothing to do but wait, or the turn is over. A handler may answer,
  /// and a source deliver, while it is called from here: the event is then picked up by the loop under
  /// way.
  func run() {
    io.assertIsCurrent()
    if isRunning || isDeferred { return }
    isRunning = true
    defer {
      isRunning = false
      countWaiting()
    }
    let began = ContinuousClock.now
    var now = began
    while true {
      switch machine.next(at: now) {
      case .wait:
        if !reserveMemory() { continue }
        if let deadline { io.schedule(deadline) }
        return
      case .read: if reserveMemory() { read() }
      case .send: send(at: now)
      case .examine(let head): examine(head, at: now)
      case .handle(let head, let body, let times):
        io.counters.requests.add()
        io.counters.inFlight.add()
        let request = Request(
          head: head, body: body, receivedAt: times.receivedAt, bodyReadAt: times.bodyReadAt,
          remoteAddress: machine.remoteAddress,
          memory: requestMemory(bodyBytes: body.count))
        guard let handled = takeRequest() else { break }
        let responder = Responder(
          connection: self, requestNumber: machine.requestNumber, request: handled,
          path: request.head.path ?? "")
        self.responder = responder
        handled.handle(request, responder)
      case .word(let failure, let part):
        io.counters.failures.add()
        let response =
          takeRequest()?.failed(failure) ?? io.context.handler.malformed(failure, part)
        machine.explain(response, dateLine: io.dateLine, at: now)
      case .pull(let source):
        let delivery = Delivery(connection: self, requestNumber: machine.requestNumber)
        source.next { delivery.perform($0) }
      case .cancel:
        if responder?.cancel() == true {
          io.counters.inFlight.add(-1)
          io.counters.cancelled.add()
        }
      case .abandon(let source):
        source.abandon()
      case .forget:
        takeRequest()?.abandoned()
      case .endOutput:
        transport.endOutput()
      case .close(let abruptly):
        memory = nil
        transport.close(abruptly: abruptly)
        return io.remove(self)
      }
      now = .now
      if now - began >= Self.turn {
        isDeferred = true
        return io.later(self)
      }
    }
  }

  private func examine(_ head: HTTPRequest, at now: ContinuousClock.Instant) {
    let request = io.context.handler.begin(
      head, remoteAddress: machine.remoteAddress, receivedAt: machine.headStartedAt)
    self.request = request
    let refusal =
      machine.restriction ?? (hold(machine.heldBytes) ? nil : HTTPFailure.outOfMemoryBudget)
    if let refusal, !request.isHealthCheck { return machine.decline(refusal) }
    switch request.examine() {
    case .readBody: machine.proceed(at: now)
    case .discardBody: machine.proceed(keepingBody: false, at: now)
    case .refuse(let response):
      self.request = nil
      machine.refuse(response, dateLine: io.dateLine, at: now)
    }
  }

  private func takeRequest() -> (any HandledRequest)? {
    defer { request = nil }
    return request
  }

  /// Holds what the connection keeps of requests against the budget, before it reads more or waits;
  /// false if something had to be dropped for want of room.
  private func reserveMemory() -> Bool {
    hold(machine.heldBytes) || !machine.dropRequests(.outOfMemoryBudget)
  }

  /// Holds so many bytes from now on; false, and none, if there is no room.
  private func hold(_ bytes: Int) -> Bool {
    guard bytes > ServerLimits.uncountedBytes else {
      memory = nil
      return true
    }
    let memory = memory ?? MemoryReservation(io.context.memory)
    self.memory = memory.resize(to: bytes) ? memory : nil
    return self.memory != nil
  }

  /// What goes along with a request whose body is read; without room it holds nothing, and the handler
  /// can hold no more.
  private func requestMemory(bodyBytes: Int) -> MemoryReservation {
    guard hold(machine.heldBytes + bodyBytes), let memory else {
      return MemoryReservation(io.context.memory)
    }
    return memory.split(bodyBytes)
  }

  private func countWaiting() {
    let isWaiting = admission.isServed && machine.waitingForClientSince != nil
    if isWaiting != isCountedAsWaiting { io.countWaiting(isWaiting ? 1 : -1) }
    isCountedAsWaiting = isWaiting
  }

  private func read() {
    switch transport.receive(into: &io.readBuffer) {
    case .bytes(let count, let isAll):
      io.counters.received.add(count)
      let buffer = io.readBuffer
      machine.received(buffer.span.extracting(0..<count), isAll: isAll)
    case .wouldBlock: machine.readWouldBlock()
    case .end: machine.endOfInput()
    // The client is to read what TLS has told it: that takes a close without RST.
    case .failed: if hasNoHandshake() { machine.endOfInput() } else { machine.broke() }
    case .plainHTTP:
      transport.leaveTLS()
      machine.reject(.plainHTTP)
    }
  }

  private func send(at now: ContinuousClock.Instant) {
    let transfer = machine.output.withNext { transport.send($0, $1) }
    switch transfer {
    case .bytes(let count, let isAll):
      io.counters.sent.add(count)
      machine.sent(count, isAll: isAll, at: now)
      if isAll { unacknowledgedBytes = transport.socket.unacknowledgedBytes }
    case .wouldBlock: machine.sent(0, isAll: true, at: now)
    case .end, .failed:
      _ = hasNoHandshake()
      machine.broke()
    // Sent again as it is.
    case .plainHTTP: transport.leaveTLS()
    }
  }

  /// Whether it was the handshake that failed; then it is noted.
  private func hasNoHandshake() -> Bool {
    guard let reason = transport.handshakeFailure else { return false }
    io.counters.failedHandshakes.add()
    io.context.log(.handshakeFailed(reason: reason, remoteAddress: machine.remoteAddress))
    return true
  }
}
