import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// What needs a masked-language-model head.
extension TEIRoutes {
  static let fillMaskMembers: [RawText] = ["inputs", "parameters"] + TEIOptions.truncationMembers

  /// The likeliest tokens for the masks of texts, as Hugging Face's clients ask for them.
  ///
  /// Source: transformers 5.23, `pipelines/fill_mask.py`.
  func fillMask(
    _ body: BodyObject, _ model: ServedModel, _ exchange: Exchange
  ) throws(ServiceError) {
    guard let mask = model.maskID else {
      throw .invalid("this model's vocabulary has no token for masks")
    }
    let options = try TEIOptions(body, TEIOptions.truncationMembers, model)
    let parameters = try BodyObject(member: "parameters", of: body)
    exchange.note { record in record.ignored.add(parameters, besides: ["top_k", "targets"]) }
    let candidates = try targets(parameters, model, exchange)
    let most = 1...TokenPredictions.maxCount
    let predictions = TokenPredictions(
      count: try parameters.integer("top_k", in: most) ?? 5, rowsOf: mask,
      candidates: candidates, hasProbabilities: true)
    let (texts, isList) = try Self.masked(try body.required("inputs"), exchange.bodyLimits)
    var request = MapRequest(model, keys: [.mlmLogits])
    request.truncation = options.truncation
    request.predictions = predictions
    let count = request.width(of: .mlmLogits)
    var job = MapJob(
      request: request, inputs: texts.map { .text(.single($0)) }, coding: .json
    ) { answer in
      var writer = JSONWriter()
      if isList { writer.beginArray() }
      for (tokens, result) in zip(answer.texts, answer.results) {
        writer.predictions(result.predicted, count, of: tokens.sequence.ids, answer.model.tokenizer)
      }
      if isList { writer.endArray() }
      return .json(writer.bytes)
    }
    job.isWhole = true
    job.bytesOfText = { (index, tokens) throws(ServiceError) in
      let ids = tokens.sequence.ids
      let masks = ids.count { $0 == mask }
      guard masks > 0 else {
        let token = model.tokenizer.vocabulary.token(mask) ?? ""
        throw .unprocessable("text \(index) has no \(token) among its \(ids.count) tokens")
      }
      let text = model.tokenizer.decode(ids, skipSpecialTokens: false)
      return masks * count * (text.utf8.count + Self.bytesOfFilledMask)
    }
    try exchange.encode(job)
  }

  /// Names of members, numbers, and a token twice.
  private static let bytesOfFilledMask = 160

  private static func masked(
    _ value: JSONValue, _ limits: BodyLimits
  ) throws(ServiceError) -> ([String], isList: Bool) {
    switch value {
    case .string(let text): return ([text], false)
    case .array(let items):
      try limits.check(texts: items.count)
      var texts: [String] = []
      for (index, item) in items.enumerated() {
        guard case .string(let text) = item else {
          throw .unprocessable("item \(index) of 'inputs' is \(item.kind), not a text")
        }
        texts.append(text)
      }
      // As the pipeline does.
      return (texts, texts.count != 1)
    default:
      throw .unprocessable(
        "'inputs' is \(value.kind); it is a text with a mask, or a list of texts")
    }
  }

  /// Ids of the tokens that may be given; of a word that is none, of its first token.
  private func targets(
    _ parameters: BodyObject, _ model: ServedModel, _ exchange: Exchange
  ) throws(ServiceError) -> [Int32]? {
    let items: [JSONValue]
    switch parameters["targets"] {
    case nil: return nil
    case .string(let word)?: items = [.string(word)]
    case .array(let words)?: items = words
    case let value?:
      throw .unprocessable("'targets' is \(value.kind); it is a word, or a list of words")
    }
    if !items.isEmpty { try exchange.bodyLimits.check(texts: items.count) }
    var ids: Set<Int32> = []
    for item in items {
      guard case .string(let word) = item else {
        throw .unprocessable("'targets' has \(item.kind); it holds words")
      }
      if let id = model.tokenizer.vocabulary.addedID(of: word) {
        ids.insert(id)
        continue
      }
      try exchange.checkIsWanted()
      let tokens = try? model.tokenizer.tokenize(
        .single(word), maxTokens: max(model.defaultMaxTokens, 3), withSources: true)
      let first = tokens?.sources.firstIndex { $0 != nil }
      if let tokens, let first { ids.insert(tokens.sequence.ids[first]) }
    }
    guard !ids.isEmpty else {
      throw .unprocessable("'targets' has no word of which the tokenizer makes a token")
    }
    return ids.sorted()
  }

  // MARK: - Sparse vectors

  /// An index, a number, and their names.
  private static let bytesOfWeight = 48

  static let sparseMembers = TEIOptions.textMembers + ["inputs"]

  /// `POST /embed_sparse`: of a text the tokens of the vocabulary that have a weight.
  @Sendable
  func embedSparse(_ exchange: Exchange) {
    workTEI(exchange, Self.sparseMembers) { (body, model) throws(ServiceError) in
      try self.embedSparse(body, model, exchange)
    }
  }

  func embedSparse(
    _ body: BodyObject, _ model: ServedModel, _ exchange: Exchange
  ) throws(ServiceError) {
    guard model.info.has(.sparseEmbedding) else {
      throw .invalid(
        "this model gives no sparse vectors: \(model.info.absence(of: .sparseEmbedding))")
    }
    let options = try TEIOptions(body, TEIOptions.textMembers, model)
    var job = MapJob(
      request: options.request(model, .sparseEmbedding),
      inputs: try options.inputs(body, model, exchange.bodyLimits), coding: .json
    ) { answer in
      Self.lists(
        answer.results.map { result in
          AnswerPiece(render: { bytes in
            var writer = JSONWriter()
            writer.weights(result[.sparseEmbedding])
            bytes += writer.bytes
          })
        }, otherBytes: answer.numberCount)
    }
    // An index and a number each; counted as if every token had a weight, of the vocabulary or the text.
    let width = model.info.width(of: .sparseEmbedding)
    let ofText = model.unweightedTokens != nil
    job.numbersOfText = ofText ? 0 : 2 * width
    job.bytesOfText = { (_, tokens) throws(ServiceError) in
      ofText ? min(width, tokens.sequence.count) * Self.bytesOfWeight : 0
    }
    try exchange.encode(job)
  }
}

extension JSONWriter {
  /// `[{"index","value"}, …]`, those that are not 0.
  fileprivate mutating func weights(_ values: [Float]) {
    beginArray()
    for (index, value) in values.enumerated() where value != 0 {
      beginObject()
      key("index")
      integer(index)
      key("value")
      float(value)
      endObject()
    }
    endArray()
  }

  /// A list of predictions, or of several masks a list of such lists.
  ///
  /// - Parameters:
  ///   - count: predictions of a mask.
  ///   - ids: the text's.
  fileprivate mutating func predictions(
    _ predicted: PredictedTokens, _ count: Int, of ids: [Int32], _ tokenizer: Tokenizer
  ) {
    let isSingle = predicted.rows.count == 1
    if !isSingle { beginArray() }
    for (number, row) in predicted.rows.enumerated() {
      beginArray()
      for place in number * count..<(number + 1) * count {
        let id = predicted.ids[place]
        var filled = ids
        filled[row] = id
        beginObject()
        key("score")
        float(predicted.probabilities[place])
        key("token")
        integer(id)
        key("token_str")
        string(tokenizer.decode([id], skipSpecialTokens: false))
        key("sequence")
        string(
          tokenizer.decode(
            filled.filter { $0 != tokenizer.padding }, skipSpecialTokens: isSingle))
        endObject()
      }
      endArray()
    }
    if !isSingle { endArray() }
  }
}
