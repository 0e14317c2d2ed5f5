package import Batching
import Dispatch
package import EncoderContract
package import HTTP
package import Serving
package import Tokenizers

/// One text of a request.
package enum MapInput: Sendable {
  case text(TokenizerInput)
  /// Tokenized by the client: encoded as it stands.
  case tokens(TokenSequence, truncated: Bool = false)
}

/// Texts to encode, and how the results are written: what a protocol makes of a request.
package struct MapJob: Sendable {
  package var request: MapRequest
  package var inputs: [MapInput]
  /// How numbers are written, for an estimate of the answer's size.
  var coding: AnswerCursor.Coding
  /// How often the answer has each number.
  var copies: Int
  /// Numbers that the answer has of a text, where those are not all of the entry's.
  package var numbersOfText: Int?
  /// Bytes of the request that the answer repeats.
  var echoedBytes: Int
  /// Bytes that the answer has of a text, by its index and its tokens, where that depends on these.
  package var bytesOfText: (@Sendable (Int, Tokenization) throws(ServiceError) -> Int)?
  /// The answer's format, if it holds rectangles only, which texts of several lengths do not make.
  var rectangularFormat: String?
  /// Whether the answer is made as a whole before any of it is sent.
  package var isWhole = false
  /// What a text is called in messages, by its index.
  package var place: @Sendable (Int) -> String = { "text \($0)" }
  var render: @Sendable (MapAnswer) -> Response

  package init(
    request: MapRequest, inputs: [MapInput], coding: AnswerCursor.Coding, copies: Int = 1,
    echoedBytes: Int = 0, rectangularFormat: String? = nil,
    render: @escaping @Sendable (MapAnswer) -> Response
  ) {
    self.request = request
    self.inputs = inputs
    self.coding = coding
    self.copies = copies
    self.echoedBytes = echoedBytes
    self.rectangularFormat = rectangularFormat
    self.render = render
  }
}

extension Exchange {
  /// Tokenizes a job's texts, queues them, and answers when the last is encoded.
  package func encode(_ job: MapJob) throws(ServiceError) {
    let texts = try tokenize(job) { tokens throws(ServiceError) in
      try AnswerSize(job, texts: job.inputs.count, tokens: tokens).check(
        limit: self.service.limits.outputBytes, self.smallerAnswer)
      do throws(BatchingError) {
        try job.request.model.queue.check(tokens: tokens)
      } catch {
        throw ServiceError(error)
      }
    }
    if let format = job.rectangularFormat, job.request.selection.hasTokenRows,
      texts.contains(where: { $0.sequence.count != texts[0].sequence.count })
    {
      throw .unprocessable(
        "\(format) holds rectangles and these texts differ in length: add seq_length=longest, "
          + "send one text at a time, or ask for json or base64")
    }
    var job = job
    if let bytes = job.bytesOfText {
      for (index, text) in texts.enumerated() { job.echoedBytes += try bytes(index, text) }
    }
    let size = AnswerSize(job, texts)
    try size.check(limit: service.limits.outputBytes, smallerAnswer)
    try hold(size.memory)
    let (model, selection) = (job.request.model, job.request.selection)
    job.inputs = []
    let id: RequestID
    do {
      id = try model.queue.encode(
        texts.map { BatchItem($0.sequence, for: selection) }, to: model.encoder,
        deadline: due
      ) { [job] result in
        serializeQueue.async { self.answer(result, texts, job) }
      }
    } catch {
      throw ServiceError(error)
    }
    onCancel { [queue = model.queue] in queue.cancel(id) }
  }

  private func answer(
    _ result: Result<[EncodedResult], BatchingError>, _ texts: [Tokenization], _ job: MapJob
  ) {
    let began = ContinuousClock.now
    switch result {
    case .failure(let error): fail(ServiceError(error))
    case .success(let results):
      if let index = results.firstIndex(where: { $0.sequence.failure != nil }),
        let failure = results[index].sequence.failure
      {
        return fail(.backend("\(job.place(index)): \(failure.description)"))
      }
      let response = job.render(
        MapAnswer(request: job.request, texts: texts, results: results.map(\.sequence)))
      note { record in
        record.stages.queue = results.map(\.queueTime).max() ?? .zero
        record.stages.encode = results.map(\.encodeTime).max() ?? .zero
        record.stages.serialize = ContinuousClock.now - began
      }
      answer(response, job.coding.bulk(of: job.request))
    }
  }

  /// A job's texts as tokens, noted in the request's record.
  ///
  /// - Parameter check: called with how many tokens there will be, padding included, before it is made.
  package func tokenize(
    _ job: MapJob, check: (Int) throws(ServiceError) -> Void = { _ in }
  ) throws(ServiceError) -> [Tokenization] {
    if let timeout = job.request.timeout { setTimeout(timeout) }
    let tokenized = try job.request.tokenize(
      job.inputs, place: job.place, reading: { self.reading() }, check: check,
      hold: { bytes throws(ServiceError) in
        try self.checkIsWanted()
        try self.holdMore(bytes)
      })
    service.metrics.observe(lengths: tokenized.lazy.map(\.sequence.count))
    note { record in
      record.model = job.request.model.name
      record.texts = tokenized.count
      record.tokens = tokenized.reduce(0) { $0 + $1.sequence.count }
      record.truncated = tokenized.count { $0.truncated }
      record.stages.tokenize = ContinuousClock.now - record.stages.tokenizeBegan
    }
    return tokenized
  }
}

extension AnswerCursor.Coding {
  package func bulk(of request: MapRequest) -> AnswerBulk {
    switch self {
    case .base64, .raw: .dense
    case .json, .flat: request.selection.hasTokenRows ? .tokenVectors : .text
    }
  }
}

extension MapRequest {
  /// - Parameters:
  ///   - place: what a text is called in messages.
  ///   - reading: asked for each text.
  ///   - check: called with how many tokens there will be before texts are padded to one length.
  ///   - hold: called with the bytes of memory that tokens have taken since the last call; it throws
  ///     if there is no room for them, or nobody waits for them any more.
  func tokenize(
    _ inputs: [MapInput], place: (Int) -> String = { "text \($0)" },
    reading: () -> TextReading? = { nil },
    check: (Int) throws(ServiceError) -> Void = { _ in },
    hold: (Int) throws(ServiceError) -> Void = { _ in }
  ) throws(ServiceError) -> [Tokenization] {
    let form = TextForm(prompt: try prompt(), maxTokens: maxTokens, expansion: colbert?.expansion)
    var length: Int?
    if case .to(let count) = padding {
      length = count
      try check(inputs.count * count)
    }
    let first = try firstText.map { text throws(ServiceError) in
      try read(reading()) { mayRead throws(TokenizerError) in
        try model.tokenizer.firstText(
          text, maxTokens: form.maxTokens, truncation: truncation, withSources: wantsTokens,
          mayRead: mayRead)
      }
    }
    var tokenized: [Tokenization] = []
    tokenized.reserveCapacity(inputs.count)
    var unheldBytes = 0
    for index in inputs.indices {
      tokenized.append(
        try tokenize(inputs[index], place(index), form, padTo: length, reading(), after: first))
      unheldBytes += AnswerSize.memory(of: tokenized[index])
      if unheldBytes < Self.tokenBytesBetweenChecks { continue }
      try hold(unheldBytes)
      unheldBytes = 0
    }
    if padding == .longest {
      let longest = tokenized.map(\.sequence.count).max() ?? 0
      try check(tokenized.count * longest)
      let bytesOfToken = 8 + (wantsTokens ? MemoryLayout<TokenSource?>.stride : 0)
      try hold(tokenized.count * longest * bytesOfToken)
      for index in tokenized.indices where tokenized[index].sequence.count < longest {
        // Ids of a client are encoded as they stand.
        if case .tokens = inputs[index] { continue }
        if index % 64 == 0 { try hold(0) }
        tokenized[index].pad(to: longest, with: model.tokenizer.padding)
      }
    }
    return tokenized
  }

  private static let tokenBytesBetweenChecks = 65_536

  /// How the texts of a request become tokens.
  private struct TextForm {
    var prompt: String?
    var maxTokens: Int
    var expansion: QueryExpansion?
  }

  /// - Parameter length: that the text is padded to; nil for none.
  private func tokenize(
    _ input: MapInput, _ place: @autoclosure () -> String, _ form: TextForm, padTo length: Int?,
    _ reading: TextReading?, after first: Tokenizer.FirstText?
  ) throws(ServiceError) -> Tokenization {
    switch input {
    case .tokens(let sequence, let truncated):
      return Tokenization(sequence: sequence, truncated: truncated)
    case .text(let text):
      guard let text = text.prompted(form.prompt) else {
        throw .unprocessable(
          "\(place()) is a pair or a list of words, and the folder's prompt is put before single texts "
            + "alone: send a single text, or ask for keys without a prompt")
      }
      let isPair = if case .pair = text { true } else { first != nil }
      if isPair, model.tokenizer.highestType(ofPairs: true) >= model.info.typeCount {
        throw .unprocessable("this model has one segment type, so it takes no pairs")
      }
      var tokens = try read(reading, of: place()) { mayRead throws(TokenizerError) in
        if let first, case .single(let second) = text {
          return try model.tokenizer.tokenize(second, after: first, mayRead: mayRead)
        }
        return try model.tokenizer.tokenize(
          text, maxTokens: form.maxTokens, truncation: truncation, withSources: wantsTokens,
          mayRead: mayRead)
      }
      if let expansion = form.expansion { tokens.expand(expansion, upTo: length) }
      if let length { tokens.pad(to: length, with: model.tokenizer.padding) }
      if let prompt = form.prompt { tokens.dropSources(before: prompt.utf8.count) }
      return tokens
    }
  }

  /// - Parameter place: what is read, for messages.
  private func read<Tokens>(
    _ reading: TextReading?, of place: @autoclosure () -> String = "the query",
    _ body: ((@Sendable (Int) -> Bool)?) throws(TokenizerError) -> Tokens
  ) throws(ServiceError) -> Tokens {
    let mayRead: (@Sendable (Int) -> Bool)? =
      if let reading { { reading.mayRead($0) } } else { nil }
    do {
      return try body(mayRead)
    } catch .cancelled {
      throw reading?.failure ?? .deadlinePassed
    } catch {
      throw .unprocessable("\(place()): \(error.description)")
    }
  }
}

extension Tokenization {
  /// Places in the text without its first bytes; tokens of those come from nowhere.
  fileprivate mutating func dropSources(before count: Int) {
    for index in sources.indices {
      guard let source = sources[index] else { continue }
      let bytes = source.bytes
      sources[index] =
        bytes.upperBound <= count
        ? nil
        : TokenSource(
          part: source.part, bytes: max(0, bytes.lowerBound - count)..<bytes.upperBound - count)
    }
  }
}

extension ServiceError {
  package init(_ error: BatchingError) {
    switch error {
    case .empty: self = .empty(error.description)
    case .sequenceTooLong, .tooLarge: self = .unprocessable(error.description)
    case .queueFull(let retryAfter): self = .overloaded(retryAfter: retryAfter)
    case .draining: self = .draining
    case .expired: self = .deadlinePassed
    case .encoder: self = .backend(error.description)
    }
  }
}
