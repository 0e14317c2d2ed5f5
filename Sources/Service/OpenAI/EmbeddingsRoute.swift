import HTTP
import HTTPTypes
import JSON
import OutputMap
import WordPiece

extension Route {
  /// OpenAI's embeddings API, and the models that three protocols ask for in one place.
  static let openAI: [Route] =
    ["/v1/embeddings", "/embeddings"].map { path in
      Route(method: .post, path: path, errors: .openAI, documentation: .embeddings) {
        $0.embeddings($1)
      }
    } + [
      Route(method: .get, path: "/v1/models", errors: .openAI, documentation: .models) {
        $0.listModels($1)
      },
      Route(method: .get, path: "/v1/models/{model}", errors: .openAI, documentation: .model) {
        $0.describeModel($1)
      },
    ]
}

/// The body of `POST /v1/embeddings`.
struct EmbeddingsBody {
  var texts: [String]
  var model: RawText?
  var coding = AnswerCursor.Coding.json
  /// Components to keep; all when nil.
  var dimensions: Int?

  init(_ bytes: [UInt8], limits: BodyLimits) throws(ServiceError) {
    let body = try BodyObject(bytes, limits: limits.json)
    let known: [RawText] = ["input", "model", "encoding_format", "dimensions", "user"]
    if let name = body.members.keys.sorted().first(where: { !known.contains($0) }) {
      throw body.error(
        name, "unknown member '\(name)'; there are \(known.list)")
    }
    texts = try Self.texts(try body.required("input"), body, limits)
    model = try body.string("model")
    _ = try body.string("user")
    switch try body.string("encoding_format") {
    case nil, "float": coding = .json
    case "base64": coding = .base64(.float32)
    case let other?:
      throw body.error(
        "encoding_format", "'encoding_format' is float or base64; it was '\(other)'")
    }
    dimensions = try body.integer("dimensions", in: 1...(1 << 20))
  }

  private static func texts(
    _ input: JSONValue, _ body: BodyObject, _ limits: BodyLimits
  ) throws(ServiceError) -> [String] {
    guard case .array(let items) = input else {
      guard case .string(let text) = input else {
        throw body.error("input", "'input' is \(input.kind); it is a text or a list of texts")
      }
      return [text]
    }
    try limits.check(texts: items.count)
    var texts: [String] = []
    texts.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      switch item {
      case .string(let text): texts.append(text)
      case .integer, .array:
        throw body.error(
          "input",
          "'input' holds token ids, which are of another tokenizer than this model's and would "
            + "give wrong vectors; send texts (LangChain's OpenAIEmbeddings does with "
            + "check_embedding_ctx_length=False)")
      default: throw body.error("input", "item \(index) of 'input' is \(item.kind), not a text")
      }
    }
    return texts
  }
}

extension Service {
  /// `POST /v1/embeddings` and `/embeddings`.
  func embeddings(_ exchange: Exchange) {
    work(exchange) { [self] bytes throws(ServiceError) in
      var body = try EmbeddingsBody(bytes, limits: bodyLimits)
      let model = try model(named: body.model)
      let key = try model.vectorKey()
      if let dimensions = body.dimensions, dimensions > model.vectorSize {
        throw .invalid(
          "'dimensions' is \(dimensions) and this model's vectors have \(model.vectorSize)",
          parameter: "dimensions")
      }
      let inputs = body.texts.map { MapInput.text(.single($0)) }
      body.texts = []
      let job = MapJob(
        request: MapRequest(model, keys: [key]), inputs: inputs, coding: body.coding
      ) { [body] answer in
        Self.embeddings(answer, key, body)
      }
      try run(job, for: exchange)
    }
  }

  private static func embeddings(
    _ answer: MapAnswer, _ key: OutputKey, _ body: EmbeddingsBody
  ) -> Response {
    var pieces = answer.pieces(of: key)
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("object")
    writer.string("list")
    writer.key("data")
    writer.beginArray()
    for index in pieces.indices {
      if let dimensions = body.dimensions {
        pieces[index].values = pieces[index].values.cut(to: dimensions, normalizes: true)
        pieces[index].width = dimensions
      }
      writer.beginObject()
      writer.key("object")
      writer.string("embedding")
      writer.key("index")
      writer.integer(index)
      writer.key("embedding")
      pieces[index].prefix = writer.takeBytes()
      writer.endObject()
    }
    writer.endArray()
    writer.key("model")
    writer.string(answer.model.name)
    writer.key("usage")
    let tokens = answer.texts.reduce(0) { $0 + $1.sequence.count }
    writer.beginObject()
    for name in ["prompt_tokens", "total_tokens"] {
      writer.key(name)
      writer.integer(tokens)
    }
    writer.endObject()
    writer.endObject()
    pieces[pieces.count - 1].suffix = writer.takeBytes()
    return AnswerCursor(pieces, body.coding).response(
      numbers: answer.numberCount, fields: [.contentType: "application/json"])
  }
}

extension [Float] {
  /// The first components; divided by their Euclidean length if asked for, unless that is 0.
  func cut(to count: Int, normalizes: Bool) -> [Float] {
    let kept = prefix(count)
    guard normalizes else { return Array(kept) }
    let length = kept.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return length == 0 ? Array(kept) : kept.map { Float(Double($0) / length) }
  }
}
