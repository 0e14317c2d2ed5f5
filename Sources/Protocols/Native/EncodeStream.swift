import Batching
import Dispatch
import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import Serving
import Tokenizers

/// The answer to an NDJSON body: a line a text, each what `/encode` answers for that text alone, in
/// order, as results come and as the client takes them.
///
/// Only a window of texts is queued or waiting to be taken at any time, so that memory does not
/// grow with the body and one request does not fill the queue.
final class EncodeStream: BodySource {
  /// Tokens that are queued, or encoded and not yet taken.
  private static let windowTokens = 8192
  /// Numbers of encoded texts that are not yet taken: 4 MiB.
  private static let windowNumbers = 1 << 20
  /// How long to wait when a later window finds the queue full.
  private static let retryDelay = DispatchTimeInterval.milliseconds(50)

  private struct State {
    /// The line being written, which may take several pieces.
    var line: AnswerCursor?
    var submitted = 0
    /// A window is being handed to the queue, which may refuse it: another one has to wait.
    var isSubmitting = false
    var written = 0
    var tokensAhead = 0
    var numbersAhead = 0
    var results: [Int: EncodedSequence] = [:]
    var requests: [RequestID] = []
    var waiting: (@Sendable (BodyPiece) -> Void)?
    /// The response's head is out; until then a failure is an answer of its own.
    var isAnswered = false
    /// Nothing more is written.
    var hasFailed = false
    /// What became of the texts without a result, once the head is out; each has it as its line.
    var failure: ServiceError?
  }

  private let exchange: Exchange
  private let parameters: EncodeParameters
  private let texts: [Tokenization]
  private let windowTimeout: Duration
  private let state = Locked(State())

  /// - Parameter windowTimeout: how long a window may wait and be encoded, where the request names no
  ///   time of its own.
  static func start(
    _ exchange: Exchange, _ parameters: EncodeParameters, _ texts: [Tokenization],
    windowTimeout: Duration
  ) throws(ServiceError) {
    let stream = EncodeStream(exchange, parameters, texts, windowTimeout: windowTimeout)
    try exchange.hold(stream.memory)
    do {
      try stream.submitWindow()
    } catch {
      throw ServiceError(error)
    }
    exchange.onCancel { [weak stream] in stream?.abandon() }
  }

  private init(
    _ exchange: Exchange, _ parameters: EncodeParameters, _ texts: [Tokenization],
    windowTimeout: Duration
  ) {
    self.exchange = exchange
    self.parameters = parameters
    self.texts = texts
    self.windowTimeout = windowTimeout
  }

  /// Bytes of memory that the stream takes at the most: all tokens, a window's numbers, two pieces.
  private var memory: Int {
    let numbers = texts.map(numberCount)
    let window = min(numbers.reduce(0, +), max(Self.windowNumbers, numbers.max() ?? 0))
    let request = parameters.map
    let longest = texts.map(\.sequence.count).max() ?? 0
    let leastNumbers = max(1, request.numberCount(texts: 1, tokens: 1))
    // A text at least is under way.
    let textsAhead = min(texts.count, max(1, Self.windowNumbers / leastNumbers))
    return texts.reduce(0) { $0 + AnswerSize.memory(of: $1) } + window * 4
      + AnswerSource.memoryBytes
      + AnswerSize.headBytes(request, texts: textsAhead, longest: longest)
  }

  private func numberCount(_ text: Tokenization) -> Int {
    let tokens = text.sequence.count
    return parameters.map.numberCount(texts: 1, tokens: tokens)
      + parameters.map.predictionCount(tokens: tokens)
  }

  /// The client is gone: what is queued for it is dropped.
  func abandon() {
    let requests = state.withLock { state in
      state.hasFailed = true
      return state.requests
    }
    for id in requests { model.queue.cancel(id) }
  }

  private var model: ServedModel { parameters.map.model }

  // MARK: - Into the queue

  /// Submits texts until a window of them is ahead of the client.
  private func submitWindow() throws(BatchingError) {
    let (first, count) = state.withLock { state in
      let first = state.submitted
      if state.isSubmitting || state.failure != nil { return (first, 0) }
      while state.submitted < texts.count, !state.hasFailed {
        let text = texts[state.submitted]
        let (tokens, numbers) = (text.sequence.count, numberCount(text))
        guard
          state.tokensAhead == 0
            || state.tokensAhead + tokens <= Self.windowTokens
              && state.numbersAhead + numbers <= Self.windowNumbers
        else { break }
        state.tokensAhead += tokens
        state.numbersAhead += numbers
        state.submitted += 1
      }
      state.isSubmitting = state.submitted > first
      return (first, state.submitted - first)
    }
    guard count > 0 else { return }
    let selection = parameters.map.selection
    do {
      let id = try model.queue.submit(
        texts[first..<first + count].map { BatchItem($0.sequence, for: selection) },
        to: model.encoder,
        deadline: parameters.map.timeout == nil
          ? ContinuousClock.now + windowTimeout : exchange.due
      ) { [self] event in
        switch event {
        case .encoded(let index, let result): receive(first + index, result)
        case .failed(let error): fail(error)
        }
      }
      let isAbandoned = state.withLock { state in
        state.requests.append(id)
        state.isSubmitting = false
        return state.hasFailed || state.failure != nil
      }
      if isAbandoned { model.queue.cancel(id) }
    } catch {
      state.withLock { state in
        for text in texts[first..<first + count] { leave(text, &state) }
        state.submitted = first
        state.isSubmitting = false
      }
      throw error
    }
  }

  private func submitMore() {
    do throws(BatchingError) {
      try submitWindow()
    } catch .queueFull {
      serializeQueue.asyncAfter(deadline: .now() + Self.retryDelay) { [weak self] in
        self?.submitMore()
      }
    } catch {
      fail(error)
    }
  }

  // MARK: - Out to the client

  private func receive(_ index: Int, _ result: EncodedResult) {
    let (begins, deliver) = state.withLock { state in
      state.results[index] = result.sequence
      let begins = !state.isAnswered && !state.hasFailed
      state.isAnswered = true
      var deliver: (@Sendable (BodyPiece) -> Void)?
      if state.results[state.written] != nil { swap(&deliver, &state.waiting) }
      return (begins, deliver)
    }
    if begins {
      exchange.note { record in
        record.stages.queue = result.queueTime
        record.stages.encode = result.encodeTime
      }
      exchange.answer(
        Response(
          status: .ok, fields: [.contentType: "application/x-ndjson"],
          body: .stream(self, length: nil)),
        parameters.coding.bulk(of: parameters.map))
    }
    if let deliver { serializeQueue.async { [self] in write(deliver) } }
  }

  func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
    enum Step { case write, wait, end, fail }
    let step = state.withLock { state -> Step in
      if state.hasFailed { return .fail }
      if state.written == texts.count { return .end }
      if state.line != nil || state.results[state.written] != nil || state.failure != nil {
        return .write
      }
      state.waiting = deliver
      return .wait
    }
    switch step {
    case .write: serializeQueue.async { [self] in write(deliver) }
    case .wait: break
    case .end: deliver(.end)
    case .fail: deliver(.failed)
    }
  }

  /// A text of the window is written, or was not taken.
  private func leave(_ text: Tokenization, _ state: inout State) {
    state.tokensAhead -= text.sequence.count
    state.numbersAhead -= numberCount(text)
  }

  /// Writes the lines that are ready, up to a piece's size. Called for one piece at a time.
  private func write(_ deliver: @Sendable (BodyPiece) -> Void) {
    var bytes: [UInt8] = []
    while bytes.count < AnswerSource.pieceSize {
      guard var line = nextLine() else { break }
      line.write(into: &bytes, until: AnswerSource.pieceSize)
      let isWhole = line.isAtEnd
      if isWhole { bytes.append(UInt8(ascii: "\n")) }
      state.withLock { state in
        state.line = isWhole ? nil : line
        guard isWhole else { return }
        if state.written < state.submitted { leave(texts[state.written], &state) }
        state.written += 1
      }
    }
    deliver(.bytes(bytes))
    submitMore()
  }

  /// The line under way, or the next one if its text is encoded. A text's failure is its line.
  private func nextLine() -> AnswerCursor? {
    enum Line {
      case begun(AnswerCursor)
      case result(Tokenization, EncodedSequence)
      case failure(ServiceError)
    }
    let next = state.withLock { state -> Line? in
      guard state.written < texts.count else { return nil }
      if let line = state.line { return .begun(line) }
      if let result = state.results.removeValue(forKey: state.written) {
        return .result(texts[state.written], result)
      }
      return state.failure.map(Line.failure)
    }
    switch next {
    case nil: return nil
    case .begun(let line): return line
    case .failure(let error): return line(of: error)
    case .result(let text, let result):
      if let failure = result.failure { return line(of: .backend(failure.description)) }
      let answer = EncodeAnswer(
        MapAnswer(request: parameters.map, texts: [text], results: [result]), parameters)
      return AnswerCursor(answer.objectPieces(), parameters.coding)
    }
  }

  private func line(of error: ServiceError) -> AnswerCursor? {
    guard case .bytes(let error) = ErrorShape.native.response(error).body else { return nil }
    return AnswerCursor([AnswerPiece(prefix: error)], parameters.coding)
  }

  /// A failure of a whole window: the answer, or once that has begun the line of each text that has no
  /// result, so that a client knows which those are.
  private func fail(_ error: BatchingError) {
    let failure = ServiceError(error)
    let (isFirst, isAnswered, requests, deliver) = state.withLock { state in
      var deliver: (@Sendable (BodyPiece) -> Void)?
      let isFirst = !state.hasFailed && state.failure == nil
      if isFirst, state.isAnswered {
        state.failure = failure
        swap(&deliver, &state.waiting)
      } else if isFirst {
        state.hasFailed = true
      }
      return (isFirst, state.isAnswered, state.requests, deliver)
    }
    guard isFirst else { return }
    guard isAnswered else { return exchange.fail(failure) }
    for id in requests { model.queue.cancel(id) }
    if let deliver { serializeQueue.async { [self] in write(deliver) } }
  }
}
