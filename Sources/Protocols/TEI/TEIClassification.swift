import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// What needs a head for the classification of texts.
extension TEIRoutes {
  /// `POST /rerank`: documents by their relevance for a query. With `documents` in place of `texts` it
  /// is Cohere's, which other servers have at this path.
  @Sendable
  func rerank(_ exchange: Exchange) {
    let own: [RawText] =
      ["query", "texts", "raw_scores", "return_text"] + TEIOptions.truncationMembers
    workTEI(exchange, own + CohereRerank.members) { (body, model) throws(ServiceError) in
      if body["texts"] == nil, body["documents"] != nil {
        let rerank = try CohereRerank(body, exchange.bodyLimits)
        exchange.note { $0.ignored = rerank.ignored }
        return try exchange.encode(rerank.job(model))
      }
      exchange.note { $0.ignored.add(body, besides: own + ["model"]) }
      let options = try TEIOptions(body, TEIOptions.truncationMembers, model)
      guard case .string(let query) = try body.required("query") else {
        throw .unprocessable("'query' is a text")
      }
      guard case .array(let items) = try body.required("texts") else {
        throw .unprocessable("'texts' is a list of texts")
      }
      try exchange.bodyLimits.check(texts: items.count)
      var texts: [String] = []
      texts.reserveCapacity(items.count)
      for (index, item) in items.enumerated() {
        guard case .string(let text) = item else {
          throw .unprocessable("item \(index) of 'texts' is \(item.kind), not a text")
        }
        texts.append(text)
      }
      let isRaw = try body.boolean("raw_scores", default: false)
      let returned = try body.boolean("return_text", default: false) ? texts : []
      try exchange.encode(
        model.rankingJob(
          query: query, documents: texts, score: isRaw ? nil : .sigmoid,
          truncation: options.truncation,
          echoedBytes: 32 * texts.count + returned.reduce(0) { $0 + 16 + 2 * $1.utf8.count }
        ) { _, ranks in
          var writer = JSONWriter()
          writer.beginArray()
          for rank in ranks {
            writer.beginObject()
            writer.key("index")
            writer.integer(rank.index)
            if !returned.isEmpty {
              writer.key("text")
              writer.string(returned[rank.index])
            }
            writer.key("score")
            writer.float(rank.score)
            writer.endObject()
          }
          writer.endArray()
          return .json(writer.bytes)
        })
    }
  }

  /// `POST /predict`: the labels of texts and pairs with their scores, the highest first.
  @Sendable
  func predict(_ exchange: Exchange) {
    workTEI(exchange, Self.predictMembers) { (body, model) throws(ServiceError) in
      try self.classify(body, model, exchange)
    }
  }

  private func classify(
    _ body: BodyObject, _ model: ServedModel, _ exchange: Exchange
  ) throws(ServiceError) {
    try model.info.has(.tokenLogits)
      ? label(body, model, exchange) : predict(body, model, exchange)
  }

  /// `POST /`: what the model is for.
  @Sendable
  func ownTask(_ exchange: Exchange) {
    workTEI(
      exchange, membersFor: { task(of: $0).members },
      { (body, model) throws(ServiceError) in
        try task(of: model).answer(body, model, exchange)
      })
  }

  private typealias RootTask = (
    members: [RawText],
    answer: (BodyObject, ServedModel, Exchange) throws(ServiceError) -> Void
  )

  private func task(of model: ServedModel) -> RootTask {
    if model.isClassifier { return (Self.predictMembers, classify) }
    if model.fillsMasks { return (Self.fillMaskMembers, fillMask) }
    if model.info.has(.sparseEmbedding), !model.info.has(.sentenceEmbedding) {
      return (Self.sparseMembers, embedSparse)
    }
    return (Self.embedMembers, embed)
  }

  private static let predictMembers: [RawText] =
    ["inputs", "raw_scores", "parameters"] + TEIOptions.truncationMembers

  private func predict(
    _ body: BodyObject, _ model: ServedModel, _ exchange: Exchange
  ) throws(ServiceError) {
    let info = model.info
    guard info.has(.logits) else {
      throw .invalid("this model does not classify texts: \(info.absence(of: .logits))")
    }
    let options = try TEIOptions(body, TEIOptions.truncationMembers, model)
    // Hugging Face's clients send this object, if an empty one, and read a list of lists.
    let isPipeline = body["parameters"] != nil
    let parameters = try BodyObject(member: "parameters", of: body)
    exchange.note { record in
      record.ignored.add(parameters, besides: ["function_to_apply", "top_k"])
    }
    var function = try body.boolean("raw_scores", default: false) ? nil : info.scoreFunction
    switch try parameters.string("function_to_apply") {
    case nil: break
    case "none": function = nil
    case let name?:
      guard let chosen = ScoreFunction(name) else {
        throw .unprocessable("'function_to_apply' is sigmoid, softmax or none; it was '\(name)'")
      }
      function = chosen
    }
    let labels = info.labels
    let count = min(try parameters.integer("top_k", in: 1...(1 << 31)) ?? .max, labels.count)
    let (inputs, isList) = try Self.texts(
      try body.required("inputs"), isPipeline: isPipeline, exchange.bodyLimits)
    var request = MapRequest(model, keys: [.logits])
    request.truncation = options.truncation
    let longestLabel = labels.reduce(0) { max($0, $1.utf8.count) }
    var job = MapJob(
      request: request, inputs: inputs, coding: .json,
      echoedBytes: inputs.count * count * (24 + 2 * longestLabel)
    ) { [function] answer in
      var writer = JSONWriter()
      if isList || isPipeline { writer.beginArray() }
      for result in answer.results {
        let logits = result[.logits]
        let scores = function?.probabilities(of: logits) ?? logits
        writer.beginArray()
        for label in logits.descendingOrder.prefix(count) {
          writer.beginObject()
          writer.key("score")
          writer.float(scores[label])
          writer.key("label")
          writer.string(labels[label])
          writer.endObject()
        }
        writer.endArray()
      }
      if isList || isPipeline { writer.endArray() }
      return .json(writer.bytes)
    }
    job.isWhole = true
    job.numbersOfText = count
    try exchange.encode(job)
  }

  /// The tokens of texts with their labels, as Hugging Face's clients ask for them.
  private func label(
    _ body: BodyObject, _ model: ServedModel, _ exchange: Exchange
  ) throws(ServiceError) {
    let options = try TEIOptions(body, TEIOptions.truncationMembers, model)
    let parameters = try BodyObject(member: "parameters", of: body)
    exchange.note { record in
      record.ignored.add(
        parameters, besides: ["aggregation_strategy", "ignore_labels", "stride"])
      if body["raw_scores"] != nil { record.ignored.add("raw_scores") }
    }
    var aggregation = TokenLabels.Aggregation.simple
    if let name = try parameters.string("aggregation_strategy") {
      guard
        let chosen = TokenLabels.Aggregation.allCases.first(where: { RawText($0.rawValue) == name })
      else {
        throw .unprocessable(
          "'aggregation_strategy' is none, simple, first, average or max; it was '\(name)'")
      }
      aggregation = chosen
    }
    guard parameters["stride"] == nil else {
      throw .unprocessable("'stride' is not supported: send a long text in parts")
    }
    var ignored: Set<RawText> = ["O"]
    if let names = parameters["ignore_labels"] {
      guard case .array(let items) = names else {
        throw .unprocessable("'ignore_labels' is \(names.kind); it is a list of labels")
      }
      ignored = []
      for item in items {
        guard case .string(let label) = item else {
          throw .unprocessable("'ignore_labels' has \(item.kind); it holds labels")
        }
        ignored.insert(RawText(label))
      }
    }
    let (inputs, isList) = try Self.texts(
      try body.required("inputs"), isPipeline: true, exchange.bodyLimits)
    var texts: [String] = []
    for input in inputs {
      guard case .text(.single(let text)) = input else {
        throw .unprocessable("this model labels tokens of texts, and an input is a pair")
      }
      texts.append(text)
    }
    var request = MapRequest(model, keys: [.tokenLogits])
    request.truncation = options.truncation
    request.wantsTokens = true
    let longestLabel = model.info.labels.reduce(0) { max($0, $1.utf8.count) }
    var job = MapJob(
      request: request, inputs: inputs, coding: .json,
      // The texts, kept for their words, these, and a label a token.
      echoedBytes: texts.reduce(0) { sum, text in
        sum + 3 * text.utf8.count + min(text.utf8.count, request.maxTokens) * longestLabel
      }
    ) { [aggregation, ignored, texts] answer in
      var writer = JSONWriter()
      if isList { writer.beginArray() }
      for (index, result) in answer.results.enumerated() {
        let labels = TokenLabels(
          of: texts[index], answer.texts[index], logits: result[.tokenLogits],
          labels: answer.model.info.labels, answer.model.tokenizer)
        writer.beginArray()
        for span in labels.spans(aggregation) where !ignored.contains(RawText(span.label)) {
          writer.span(span)
        }
        writer.endArray()
      }
      if isList { writer.endArray() }
      return .json(writer.bytes)
    }
    job.isWhole = true
    try exchange.encode(job)
  }

  /// `inputs` of /predict: a text; a list of one or two texts, which are one input; or a list of such
  /// lists. With `isPipeline` a list holds texts, each of its own.
  private static func texts(
    _ value: JSONValue, isPipeline: Bool, _ limits: BodyLimits
  ) throws(ServiceError) -> ([MapInput], isList: Bool) {
    func input(_ value: JSONValue, _ place: String) throws(ServiceError) -> MapInput {
      switch value {
      case .string(let text): return .text(.single(text))
      case .array(let items):
        switch (items.count, items.first, items.last) {
        case (1, .string(let text)?, _): return .text(.single(text))
        case (2, .string(let first)?, .string(let second)?): return .text(.pair(first, second))
        default: break
        }
      case .object(let members) where isPipeline:
        switch (members["text"], members["text_pair"] ?? .null) {
        case (.string(let text)?, .null): return .text(.single(text))
        case (.string(let text)?, .string(let second)): return .text(.pair(text, second))
        default: break
        }
      default: break
      }
      throw .unprocessable(
        "\(place) is neither a text nor a list of one or two texts; several are a list of such lists"
      )
    }
    guard case .array(let items) = value else { return ([try input(value, "'inputs'")], false) }
    let isOne = if case .string? = items.first { !isPipeline } else { false }
    if isOne { return ([try input(value, "'inputs'")], false) }
    try limits.check(texts: items.count)
    var inputs: [MapInput] = []
    inputs.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      inputs.append(try input(item, "item \(index) of 'inputs'"))
    }
    return (inputs, true)
  }
}

extension ScoreFunction {
  init?(_ name: RawText) {
    switch name {
    case "sigmoid": self = .sigmoid
    case "softmax": self = .softmax
    default: return nil
    }
  }
}

extension JSONWriter {
  /// As the pipeline calls its members.
  fileprivate mutating func span(_ span: TokenLabels.Span) {
    beginObject()
    key(span.index == nil ? "entity_group" : "entity")
    string(span.label)
    key("score")
    float(span.score)
    if let index = span.index {
      key("index")
      integer(index)
    }
    key("word")
    string(span.word)
    key("start")
    integer(span.characters.lowerBound)
    key("end")
    integer(span.characters.upperBound)
    endObject()
  }
}
