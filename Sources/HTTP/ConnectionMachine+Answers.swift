import HTTPTypes

/// What the handler and its body sources did.
extension ConnectionMachine {
  mutating func proceed(keepingBody: Bool = true, at now: Instant) {
    guard case .asking = phase, let head else { return }
    phase = .reading
    if !keepingBody {
      reader.discardBody()
      if case .length(let length) = head.framing, length > ServerLimits.maxDiscardedBody {
        failure = .bodyTooLong(limit: ServerLimits.maxDiscardedBody)
        return
      }
    }
    if head.expectsContinue, head.hasBody {
      write(at: now) { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
    }
  }

  /// The request is not served, nor any other one.
  mutating func decline(_ failure: HTTPFailure) {
    guard case .asking = phase else { return }
    phase = .reading
    self.failure = failure
  }

  mutating func refuse(_ response: Response, dateLine: [UInt8], at now: Instant) {
    guard case .asking = phase, let head else { return }
    requestNumber += 1
    var canGoOn = !head.hasBody
    if case .length(let length) = head.framing {
      canGoOn = canGoOn || length <= ServerLimits.maxDiscardedBody && !head.expectsContinue
    }
    if canGoOn { reader.discardBody() }
    answer(response, closing: !canGoOn || restriction != nil, dateLine, at: now)
  }

  /// The worded failure: the last answer.
  mutating func explain(_ response: Response, dateLine: [UInt8], at now: Instant) {
    guard case .asking = phase else { return }
    failure = nil
    answer(response, closing: true, dateLine, at: now)
    reader.drop()
  }

  mutating func respond(
    _ response: Response, to number: Int, dateLine: [UInt8], at now: Instant
  ) {
    guard case .handling = phase, number == requestNumber else {
      if case .stream(let source, _) = response.body { pending.append(.abandon(source)) }
      return
    }
    if response.pause > .zero, !isDraining { pausedUntil = now + response.pause }
    answerMemory = response.memory
    answer(response, closing: restriction != nil, dateLine, at: now)
    releaseAnswer()
  }

  fileprivate mutating func answer(
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

  fileprivate mutating func finishAnswer(at now: Instant) {
    defer { releaseAnswer() }
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
}
