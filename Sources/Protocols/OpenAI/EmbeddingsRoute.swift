import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// OpenAI's embeddings API, and the models that three protocols ask for in one place.
struct OpenAIRoutes: Sendable {
  let models: ServedModels

  var group: RouteGroup {
    RouteGroup(
      ["/v1", "", "/openai/v1"].flatMap { base in
        [
          Route(.post, base + "/embeddings", .embeddings, errors: .openAI) { embeddings($0) },
          Route(.get, base + "/models", .models, errors: .openAI) { listModels($0) },
          Route(.get, base + "/models/{model}", .model, errors: .openAI) { describeModel($0) },
        ]
      }
        + ["/v1/rerank", "/v2/rerank"].map { path in
          Route(.post, path, .cohereRerank, errors: .openAI) { rerank($0) }
        }, errors: .openAI,
      missing: [
        "completions": "this server embeds texts and does not write them; ask /v1/embeddings"
      ]
    ) { path in ["/v1", "/openai", "/embeddings", "/models"].contains(where: path.hasPrefix) }
  }
}

extension OpenAIRoutes {
  /// `POST /v1/rerank` and `/v2/rerank`, Cohere's and Jina's, which OpenAI-compatible servers have too.
  private func rerank(_ exchange: Exchange) {
    exchange.readBody { bytes throws(ServiceError) in
      let body = try BodyObject(bytes, limits: exchange.bodyLimits.json)
      let rerank = try CohereRerank(body, exchange.bodyLimits)
      exchange.note { $0.ignored = rerank.ignored }
      try exchange.encode(rerank.job(try models.named(body.string("model"))))
    }
  }

  /// `POST /v1/embeddings`, `/embeddings` and `/openai/v1/embeddings`.
  ///
  /// Vectors have length 1, as OpenAI's and text-embeddings-inference's on this route, whether the
  /// folder has a Normalize module or not: clients compare them by their dot product.
  func embeddings(_ exchange: Exchange) {
    exchange.readBody { bytes throws(ServiceError) in
      var body = try EmbeddingsBody(bytes, limits: exchange.bodyLimits)
      // Clients for Azure put `api-version` on every request.
      for item in (try? exchange.queryItems()) ?? [] where item.name != "api-version" {
        body.ignored.add(item.name)
      }
      exchange.note { [ignored = body.ignored] in $0.ignored = ignored }
      let model = try models.named(body.model)
      let key = try model.vectorKey()
      let prompt = try body.prompt(of: model)
      if prompt == nil, let type = body.inputType, !model.needsNoPrompt(for: type) {
        exchange.note { $0.ignored.add("input_type") }
      }
      let dimensions = try body.dimensions(of: model.vectorSize)
      let inputs = body.texts.map { MapInput.text(.single((prompt ?? "") + $0)) }
      body.texts = []
      var request = MapRequest(model, keys: [key])
      request.maxTokens =
        body.maxTokens.map { min($0, model.info.positionCount) } ?? request.maxTokens
      request.truncation = body.truncation
      request.usesDefaultPrompt = prompt == nil
      request.normalizesSentence = body.normalizes
      var job = MapJob(request: request, inputs: inputs, coding: body.coding) { [body] answer in
        Self.embeddings(answer, key, dimensions, body)
      }
      job.numbersOfText = dimensions
      try exchange.encode(job)
    }
  }

  private static func embeddings(
    _ answer: MapAnswer, _ key: OutputKey, _ dimensions: Int?, _ body: EmbeddingsBody
  ) -> Response {
    var pieces = answer.pieces(of: key)
    let normalizes =
      body.normalizes && !answer.model.isNormalized(key, dimensions: dimensions)
    let size = dimensions ?? answer.model.vectorSize
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("object")
    writer.string("list")
    writer.key("data")
    writer.beginArray()
    for index in pieces.indices {
      if normalizes || dimensions != nil {
        pieces[index].values = pieces[index].values.cut(to: size, normalizes: normalizes)
        pieces[index].width = size
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
    let truncated = answer.texts.count { $0.truncated }
    if truncated > 0 {
      writer.key("truncated_texts")
      writer.integer(truncated)
    }
    writer.endObject()
    writer.endObject()
    pieces[pieces.count - 1].suffix = writer.takeBytes()
    return AnswerCursor(pieces, body.coding).response(
      numbers: answer.numberCount, fields: [.contentType: "application/json"])
  }
}
