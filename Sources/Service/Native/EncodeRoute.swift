import Batching
import Dispatch
import HTTP
import HTTPTypes
import JSON
import OutputMap
import WordPiece

/// Parsing and tokenizing of requests too long to be done on an I/O queue.
private let tokenizeQueue = DispatchQueue(label: "bert-server.tokenize", attributes: .concurrent)

extension Service {
  /// Bodies up to this many bytes are tokenized where they arrive: some 100 µs at the most, which
  /// is not worth a change of thread.
  private static let inlineBodySize = 2048

  /// `POST /encode`.
  func encode(_ exchange: Exchange) {
    let work: @Sendable () -> Void = { [self] in
      do throws(ServiceError) {
        try start(exchange)
      } catch {
        exchange.fail(error)
      }
    }
    if exchange.request.body.count <= Self.inlineBodySize {
      work()
    } else {
      tokenizeQueue.async(execute: work)
    }
  }

  private func start(_ exchange: Exchange) throws(ServiceError) {
    let began = ContinuousClock.now
    let request = exchange.request
    let fields = request.head.headerFields
    guard let type = ContentType(field: fields[.contentType]) else {
      throw .unsupportedContentType(fields[.contentType] ?? "")
    }
    var given = try Self.parameters(
      request.head.path ?? "/", known: EncodeParameters.names)
    var jsonLimits = JSONParser.Limits()
    jsonLimits.depth = limits.jsonDepth
    let body = try EncodeBody(request.body, type, jsonLimits: jsonLimits)
    for (name, values) in body.parameters {
      guard given[name] == nil else {
        throw .invalid("\(name) stands both in the query and in the body; give it once")
      }
      given[name] = values
    }
    let model = try model(named: EncodeParameters.single("model", given))
    let parameters = try EncodeParameters(given, accept: fields[.accept], for: model)
    if type == .ndjson, parameters.format != .json, parameters.format != .base64 {
      throw .invalid("an x-ndjson body is answered a line at a time: format is json or base64")
    }

    let texts = try tokenize(body.texts, parameters, model)
    try EncodeAnswer.checkShape(of: parameters, texts)
    let tokens = texts.reduce(0) { $0 + $1.sequence.count }
    let numbers = EncodeAnswer.numberCount(
      of: parameters, model.shape, texts: texts.count, tokens: tokens)
    // An NDJSON answer is never whole in memory, so it has no bound.
    let bytes = EncodeAnswer.byteCount(ofNumbers: numbers, parameters)
    guard type == .ndjson || bytes <= limits.outputBytes else {
      throw .answerTooLarge(
        "the answer would be about \(bytes) bytes and the limit is \(limits.outputBytes); ask for "
          + "fewer texts, keys or layers, a binary format, or a stream (application/x-ndjson)")
    }
    let deadline = request.receivedAt + (parameters.timeout ?? limits.requestTimeout)
    exchange.note { record in
      record.texts = texts.count
      record.tokens = tokens
      record.truncated = texts.count { $0.truncated }
      record.stages.tokenize = ContinuousClock.now - began
    }
    if type == .ndjson {
      try EncodeStream.start(
        exchange, model, parameters, texts,
        deadline: parameters.timeout == nil ? nil : deadline, windowTimeout: limits.requestTimeout)
    } else {
      try EncodeJob(exchange: exchange, model: model, parameters: parameters, texts: texts)
        .submit(deadline: deadline)
    }
  }

  /// The query's parameters.
  ///
  /// - Parameter known: any other is refused.
  static func parameters(
    _ target: String, known: [String]
  ) throws(ServiceError) -> EncodeParameters.Given {
    var given: EncodeParameters.Given = [:]
    let items: [RequestTarget.QueryItem]
    do {
      items = try RequestTarget(target).query
    } catch {
      throw .invalid("the query does not parse: \(error.message)")
    }
    for item in items {
      guard known.contains(item.name) else {
        throw .invalid(
          "there is no parameter '\(item.name)'; there are \(known.joined(separator: ", "))")
      }
      given[item.name, default: []].append(item.value)
    }
    return given
  }

  private func tokenize(
    _ texts: [EncodeBody.Text], _ parameters: EncodeParameters, _ model: ServedModel
  ) throws(ServiceError) -> [Tokenization] {
    guard !texts.isEmpty else {
      throw .empty("there are no texts; a list holds at least one, and \"\" is a text")
    }
    guard texts.count <= limits.texts else {
      throw .unprocessable(
        "there are \(texts.count) texts and the limit is \(limits.texts); send them in parts")
    }
    func tokenize(_ index: Int, padTo: Int?) throws(ServiceError) -> Tokenization {
      do {
        return try model.tokenizer.tokenize(
          texts[index], maxTokens: parameters.maxTokens, truncation: parameters.truncation,
          padTo: padTo, withSources: parameters.wantsTokens)
      } catch {
        throw .unprocessable("text \(index): \(error.description)")
      }
    }
    var padTo: Int?
    if case .to(let length) = parameters.padding { padTo = length }
    var tokenized: [Tokenization] = []
    tokenized.reserveCapacity(texts.count)
    for index in texts.indices { tokenized.append(try tokenize(index, padTo: padTo)) }
    if parameters.padding == .longest {
      let longest = tokenized.map(\.sequence.count).max() ?? 0
      for index in tokenized.indices where tokenized[index].sequence.count < longest {
        tokenized[index] = try tokenize(index, padTo: longest)
      }
    }
    return tokenized
  }
}

extension ServiceError {
  init(_ error: BatchingError) {
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

/// A request whose texts are in the queue, to be answered when the last of them is encoded.
private struct EncodeJob: Sendable {
  let exchange: Exchange
  let model: ServedModel
  let parameters: EncodeParameters
  let texts: [Tokenization]

  func submit(deadline: ContinuousClock.Instant) throws(ServiceError) {
    let selection = parameters.selection(of: model.shape)
    let id: RequestID
    do {
      id = try model.queue.encode(
        texts.map { BatchItem($0.sequence, for: selection) }, to: model.encoder,
        deadline: deadline
      ) { result in
        serializeQueue.async { answer(result) }
      }
    } catch {
      throw ServiceError(error)
    }
    exchange.onCancel { [queue = model.queue] in queue.cancel(id) }
  }

  private func answer(_ result: Result<[EncodedResult], BatchingError>) {
    let began = ContinuousClock.now
    switch result {
    case .failure(let error): exchange.fail(ServiceError(error))
    case .success(let results):
      let response = EncodeAnswer(
        model: model, parameters: parameters, texts: texts, results: results.map(\.sequence)
      ).response()
      exchange.note { record in
        record.stages.queue = results.map(\.queueTime).max() ?? .zero
        record.stages.encode = results.map(\.encodeTime).max() ?? .zero
        record.stages.serialize = ContinuousClock.now - began
      }
      exchange.answer(response)
    }
  }
}
