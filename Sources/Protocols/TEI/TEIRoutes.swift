import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// text-embeddings-inference's API; its /info, /health and /metrics are the server's own.
struct TEIRoutes: Sendable {
  let models: ServedModels

  var group: RouteGroup {
    RouteGroup(
      [
        post("/embed", .embed, embed), post("/", .ownTask, ownTask),
        post("/embed_all", .embedAll, embedAll), post("/similarity", .similarity, similarity),
        post("/predict", .classify, predict), post("/rerank", .rerank, rerank),
        post("/embed_sparse", .embedSparse, embedSparse),
        post("/tokenize", .tokenize, tokenize), post("/decode", .decode, decode),
      ])
  }

  private func post(
    _ path: String, _ documentation: Documentation, _ answer: @escaping Route.Action
  ) -> Route {
    Route(
      .post, path, documentation, errors: .tei, recordFields: { $0.computeFields }, answer)
  }
}

extension ErrorShape {
  /// The native shape with text-embeddings-inference's statuses (its `router/src/http/server.rs`).
  fileprivate static let tei = native("TEIError", smallerAnswer: "send fewer or shorter texts") {
    switch $0 {
    case .empty: .badRequest
    case .backend: HTTPResponse.Status(code: 424, reasonPhrase: "Failed Dependency")
    default: nil
    }
  }
}

extension TEIRoutes {
  /// `POST /embed`, `POST /`: a vector a text.
  @Sendable
  func embed(_ exchange: Exchange) {
    workTEI(exchange, Self.embedMembers) { (body, model) throws(ServiceError) in
      try self.embed(body, model, exchange)
    }
  }

  static let embedMembers = TEIOptions.members + ["inputs"]

  func embed(
    _ body: BodyObject, _ model: ServedModel, _ exchange: Exchange
  ) throws(ServiceError) {
    let options = try TEIOptions(body, TEIOptions.members, model)
    try exchange.encode(
      vectorJob(options, try options.inputs(body, model, exchange.bodyLimits), model) {
        answer, vectors in
        Self.lists(
          zip(answer.results.indices, vectors).map { index, vector in
            AnswerPiece(values: vector, width: vector.count)
          })
      })
  }

  /// `POST /embed_all`: a vector a token.
  @Sendable
  private func embedAll(_ exchange: Exchange) {
    workTEI(exchange, TEIOptions.textMembers + ["inputs"]) {
      (body, model) throws(ServiceError) in
      let options = try TEIOptions(body, TEIOptions.textMembers, model)
      try exchange.encode(
        MapJob(
          request: options.request(model, .sequenceOutput),
          inputs: try options.inputs(body, model, exchange.bodyLimits), coding: .json
        ) { Self.lists($0.pieces(of: .sequenceOutput)) })
    }
  }

  /// `POST /similarity`: the cosine of a sentence's vector with each of the others'.
  @Sendable
  private func similarity(_ exchange: Exchange) {
    workTEI(exchange, ["inputs", "parameters"]) { (body, model) throws(ServiceError) in
      guard case .object(let members) = try body.required("inputs"),
        case .string(let source)? = members["source_sentence"],
        case .array(let items)? = members["sentences"]
      else {
        throw .unprocessable(
          "'inputs' is an object of 'source_sentence', a text, and 'sentences', a list of texts")
      }
      try exchange.bodyLimits.check(texts: items.count)
      var inputs = [source]
      for (index, item) in items.enumerated() {
        guard case .string(let sentence) = item else {
          throw .unprocessable("item \(index) of 'sentences' is \(item.kind), not a text")
        }
        inputs.append(sentence)
      }
      let parameters = try BodyObject(member: "parameters", of: body)
      exchange.note { record in
        record.ignored.add(parameters, besides: TEIOptions.textMembers)
      }
      var options = try TEIOptions(parameters, TEIOptions.textMembers, model)
      options.normalizes = true
      options.dimensions = nil
      let texts = inputs.map { [options] in MapInput.text(options.single($0)) }
      var job = try vectorJob(options, texts, model) { _, vectors in
        var writer = JSONWriter()
        let cosines = vectors.dropFirst().map { vectors[0].cosine(with: $0) }
        writer.floats(cosines.span)
        return .json(writer.bytes)
      }
      job.numbersOfText = 1
      job.place = { $0 == 0 ? "'source_sentence'" : "item \($0 - 1) of 'sentences'" }
      try exchange.encode(job)
    }
  }

  /// The vectors of texts as the options want them.
  private func vectorJob(
    _ options: TEIOptions, _ inputs: [MapInput], _ model: ServedModel,
    render: @escaping @Sendable (MapAnswer, [[Float]]) -> Response
  ) throws(ServiceError) -> MapJob {
    let key = try model.vectorKey()
    var request = options.request(model, key)
    request.normalizesSentence = options.normalizes
    let normalizes =
      options.normalizes && !model.isNormalized(key, dimensions: options.dimensions)
    let size = options.dimensions ?? model.vectorSize
    var job = MapJob(request: request, inputs: inputs, coding: .json) { answer in
      render(
        answer, answer.pieces(of: key).map { $0.values.cut(to: size, normalizes: normalizes) })
    }
    if options.dimensions != nil { job.numbersOfText = size }
    return job
  }

  /// Pieces as one JSON list.
  ///
  /// - Parameter otherBytes: estimate of what `render` closures write.
  static func lists(_ pieces: [AnswerPiece], otherBytes: Int = 0) -> Response {
    var pieces = pieces
    for index in pieces.indices { pieces[index].prefix = [UInt8(ascii: index == 0 ? "[" : ",")] }
    pieces[pieces.count - 1].suffix = [UInt8(ascii: "]")]
    return AnswerCursor(pieces, .json).response(
      numbers: pieces.reduce(0) { $0 + $1.values.count }, otherBytes: otherBytes,
      fields: [.contentType: "application/json"])
  }

  /// - Parameter members: that the route knows, besides `model`.
  func workTEI(
    _ exchange: Exchange, _ members: [RawText],
    _ body: @escaping @Sendable (BodyObject, ServedModel) throws(ServiceError) -> Void
  ) {
    workTEI(exchange, membersFor: { _ in members }, body)
  }

  /// - Parameter members: that the route knows for a model, besides `model`.
  func workTEI(
    _ exchange: Exchange, membersFor members: @escaping @Sendable (ServedModel) -> [RawText],
    _ body: @escaping @Sendable (BodyObject, ServedModel) throws(ServiceError) -> Void
  ) {
    exchange.readBody { [self] bytes throws(ServiceError) in
      let given = try exchange.givenParameters()
      let object = try BodyObject(
        bytes, limits: exchange.bodyLimits.json, mismatchIsUnprocessable: true)
      var ignored = MemberNames()
      let model = try model(of: object, try given.single("model"), &ignored)
      ignored.add(object, besides: members(model) + ["model"])
      exchange.note { [ignored] in $0.ignored = ignored }
      try body(object, model)
    }
  }

  /// The model that the query or the body names. text-embeddings-inference serves one and passes over
  /// the member; so does this one where there is no choice.
  private func model(
    of body: BodyObject, _ queried: RawText?, _ ignored: inout MemberNames
  ) throws(ServiceError) -> ServedModel {
    let models = try models.all()
    var named: ServedModel?
    if let queried { named = try self.models.named(queried) }
    if models.count == 1 {
      let isAnother =
        switch body["model"] {
        case nil: false
        case .string(let name): !name.isEmpty && models.named(RawText(name)) == nil
        default: true
        }
      if isAnother { ignored.add("model") }
      return models[0]
    }
    guard let name = try body.string("model"), !name.isEmpty else { return named ?? models[0] }
    let model = try self.models.named(name)
    guard let named, named.name != model.name else { return model }
    throw .unprocessable("the query names the model '\(named.name)' and the body '\(model.name)'")
  }

  // MARK: - Tokens

  /// `POST /tokenize`.
  @Sendable
  private func tokenize(_ exchange: Exchange) {
    workTEI(exchange, ["inputs", "prompt_name", "add_special_tokens"]) {
      (body, model) throws(ServiceError) in
      let options = try TEIOptions(body, ["prompt_name"], model)
      let hasSpecialTokens = try body.boolean("add_special_tokens", default: true)
      let inputs = try options.inputs(body, model, exchange.bodyLimits)
      var tokenized = TokenizedTexts(hasSpecialTokens: hasSpecialTokens, of: model)
      for input in inputs {
        guard case .text(.single(let text)) = input else {
          throw .unprocessable("'inputs' has token ids; send texts, or ask /decode")
        }
        try exchange.checkIsWanted()
        try tokenized.append(
          text, for: exchange, maxAnswerBytes: exchange.service.limits.outputBytes)
      }
      exchange.answer(try tokenized.response(for: exchange))
    }
  }

  /// `POST /decode`.
  @Sendable
  private func decode(_ exchange: Exchange) {
    workTEI(exchange, ["ids", "skip_special_tokens"]) {
      (body, model) throws(ServiceError) in
      guard case .array(let items) = try body.required("ids"), !items.isEmpty else {
        throw .unprocessable("'ids' is a list of token ids, or a list of such lists")
      }
      let skipsSpecialTokens = try body.boolean("skip_special_tokens", default: true)
      var lists = [items]
      if case .array? = items.first {
        try exchange.bodyLimits.check(texts: items.count)
        lists = []
        for (index, item) in items.enumerated() {
          guard case .array(let ids) = item else {
            throw .unprocessable(
              "item \(index) of 'ids' is \(item.kind), and the first is a list; they are of one kind"
            )
          }
          lists.append(ids)
        }
      }
      var writer = JSONWriter()
      writer.beginArray()
      for (index, list) in lists.enumerated() {
        try exchange.checkIsWanted()
        writer.string(
          model.tokenizer.decode(
            try model.ids(list, of: "item \(index) of 'ids'"), skipSpecialTokens: skipsSpecialTokens
          ))
        guard writer.bytes.count <= exchange.service.limits.outputBytes else {
          throw .answerTooLarge(
            "the answer would be over the limit of \(exchange.service.limits.outputBytes) bytes (max_output_bytes); "
              + "send fewer ids")
        }
      }
      writer.endArray()
      try exchange.hold(writer.bytes.count)
      exchange.answer(.json(writer.bytes))
    }
  }
}

extension [Float] {
  /// Summed in double precision: vectors of length 1 have that length only up to float32's rounding.
  fileprivate func cosine(with other: [Float]) -> Float {
    var (product, square, otherSquare) = (0.0, 0.0, 0.0)
    for (first, second) in zip(self, other) {
      product += Double(first) * Double(second)
      square += Double(first) * Double(first)
      otherSquare += Double(second) * Double(second)
    }
    let length = (square * otherSquare).squareRoot()
    return length == 0 ? 0 : Float(Swift.min(1, Swift.max(-1, product / length)))
  }
}

extension RequestRecord {
  /// text-embeddings-inference's account of a request's time, milliseconds.
  var computeFields: HTTPFields {
    let fields: KeyValuePairs<String, String> = [
      "x-compute-type": "cpu", "x-compute-tokens": String(tokens),
      "x-compute-time": stages.total.millisecondsText,
      "x-total-time": stages.total.millisecondsText,
      "x-tokenization-time": stages.tokenize.millisecondsText,
      "x-queue-time": stages.queue.millisecondsText,
      "x-inference-time": stages.encode.millisecondsText,
    ]
    var result = HTTPFields()
    for (name, value) in fields {
      if let name = HTTPField.Name(name) { result[name] = value }
    }
    return result
  }
}
