import Batching
import Dispatch
import HTTP
import OutputMap
import WordPiece

/// One text of a request.
enum MapInput: Sendable {
  case text(TokenizerInput)
  /// Tokenized by the client: encoded as it stands.
  case tokens(TokenSequence)
}

/// Texts to encode, and how the results are written: what a protocol makes of a request.
struct MapJob: Sendable {
  var request: MapRequest
  var inputs: [MapInput]
  /// How numbers are written, for an estimate of the answer's size.
  var coding: AnswerCursor.Coding
  /// The answer's format, if it holds rectangles only, which texts of several lengths do not make.
  var rectangularFormat: String?
  var render: @Sendable (MapAnswer) -> Response
}

/// Decompressing, parsing and tokenizing of requests too long to be done on an I/O queue.
let parsingQueue = DispatchQueue(label: "bert-server.parse", attributes: .concurrent)

extension Service {
  /// Bodies up to this many bytes are tokenized where they arrive: some 100 µs at the most, which
  /// is not worth a change of thread.
  private static let inlineBodySize = 2048

  /// Does what a request needs until it is in the queue; a failure is its answer.
  func work(_ exchange: Exchange, _ body: @escaping @Sendable () throws(ServiceError) -> Void) {
    let work: @Sendable () -> Void = {
      exchange.note { $0.stages.tokenizeBegan = .now }
      do throws(ServiceError) {
        try body()
      } catch {
        exchange.fail(error)
      }
    }
    if exchange.request.body.count <= Self.inlineBodySize {
      work()
    } else {
      parsingQueue.async(execute: work)
    }
  }

  /// Tokenizes a job's texts, queues them, and answers when the last is encoded.
  func run(_ job: MapJob, for exchange: Exchange) throws(ServiceError) {
    let texts = try tokenize(job, for: exchange)
    if let format = job.rectangularFormat, !job.request.selection.blocks.isEmpty,
      texts.contains(where: { $0.sequence.count != texts[0].sequence.count })
    {
      throw .unprocessable(
        "\(format) holds rectangles and these texts differ in length: add seq_length=longest, "
          + "send one text at a time, or ask for json or base64")
    }
    let tokens = texts.reduce(0) { $0 + $1.sequence.count }
    let bytes = job.coding.byteCount(
      ofNumbers: job.request.numberCount(texts: texts.count, tokens: tokens))
    guard bytes <= limits.outputBytes else {
      throw .answerTooLarge(
        "the answer would be about \(bytes) bytes and the limit is \(limits.outputBytes); ask for "
          + "fewer texts, keys or layers, a binary format, or a stream (application/x-ndjson)")
    }
    let (model, selection) = (job.request.model, job.request.selection)
    let id: RequestID
    do {
      id = try model.queue.encode(
        texts.map { BatchItem($0.sequence, for: selection) }, to: model.encoder,
        deadline: exchange.request.receivedAt + (job.request.timeout ?? limits.requestTimeout)
      ) { result in
        serializeQueue.async { Self.answer(result, texts, job, exchange) }
      }
    } catch {
      throw ServiceError(error)
    }
    exchange.onCancel { [queue = model.queue] in queue.cancel(id) }
  }

  private static func answer(
    _ result: Result<[EncodedResult], BatchingError>, _ texts: [Tokenization], _ job: MapJob,
    _ exchange: Exchange
  ) {
    let began = ContinuousClock.now
    switch result {
    case .failure(let error): exchange.fail(ServiceError(error))
    case .success(let results):
      let response = job.render(
        MapAnswer(request: job.request, texts: texts, results: results.map(\.sequence)))
      exchange.note { record in
        record.stages.queue = results.map(\.queueTime).max() ?? .zero
        record.stages.encode = results.map(\.encodeTime).max() ?? .zero
        record.stages.serialize = ContinuousClock.now - began
      }
      exchange.answer(response, job.coding.bulk(of: job.request))
    }
  }

  /// A job's texts as tokens, noted in the request's record.
  func tokenize(_ job: MapJob, for exchange: Exchange) throws(ServiceError) -> [Tokenization] {
    guard !job.inputs.isEmpty else {
      throw .empty("there are no texts; a list holds at least one, and \"\" is a text")
    }
    guard job.inputs.count <= limits.texts else {
      throw .unprocessable(
        "there are \(job.inputs.count) texts and the limit is \(limits.texts); send them in parts")
    }
    let tokenized = try job.request.tokenize(job.inputs)
    metrics.observe(lengths: tokenized.lazy.map(\.sequence.count))
    exchange.note { record in
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
  func bulk(of request: MapRequest) -> AnswerBulk {
    switch self {
    case .base64, .raw: .dense
    case .json, .flat: request.selection.blocks.isEmpty ? .text : .tokenVectors
    }
  }
}

extension MapRequest {
  func tokenize(_ inputs: [MapInput]) throws(ServiceError) -> [Tokenization] {
    var padTo: Int?
    if case .to(let length) = padding { padTo = length }
    var tokenized: [Tokenization] = []
    tokenized.reserveCapacity(inputs.count)
    for index in inputs.indices { tokenized.append(try tokenize(inputs, index, padTo: padTo)) }
    if padding == .longest {
      let longest = tokenized.map(\.sequence.count).max() ?? 0
      for index in tokenized.indices where tokenized[index].sequence.count < longest {
        tokenized[index] = try tokenize(inputs, index, padTo: longest)
      }
    }
    return tokenized
  }

  private func tokenize(
    _ inputs: [MapInput], _ index: Int, padTo: Int?
  ) throws(ServiceError) -> Tokenization {
    switch inputs[index] {
    case .tokens(let sequence): return Tokenization(sequence: sequence)
    case .text(let text):
      if case .pair = text, model.tokenizer.highestType(ofPairs: true) >= model.shape.typeCount {
        throw .unprocessable("this model has one segment type, so it takes no pairs")
      }
      do {
        return try model.tokenizer.tokenize(
          text, maxTokens: maxTokens, truncation: truncation, padTo: padTo,
          withSources: wantsTokens)
      } catch {
        throw .unprocessable("text \(index): \(error.description)")
      }
    }
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
