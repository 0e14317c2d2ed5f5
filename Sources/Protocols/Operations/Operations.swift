import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// For whoever runs the server: health, facts, metrics, the API's description.
struct OperationsRoutes: Sendable {
  let models: ServedModels

  var group: RouteGroup {
    RouteGroup(
      [Route(.get, "/health/live", .live, access: .healthCheck) { live($0) }]
        + ["/health/ready", "/health", "/ping"].map { path in
          Route(.get, path, .health, access: .healthCheck) { health($0) }
        } + [
          Route(.get, "/info", .info) { info($0) },
          Route(.get, "/metrics", .metrics, access: .metrics) { answerMetrics($0) },
          Route(.get, "/openapi.json", .openAPI) { exchange in
            exchange.describeAPI(
              models: ((try? models.all()) ?? []).listedNames, modelVersion: ServedModel.version)
          },
        ])
  }

  /// `GET /health/live`: the process listens.
  private func live(_ exchange: Exchange) {
    exchange.answer(.json(Self.status("live")))
  }

  /// `GET /health/ready` and `/health`: texts are encoded.
  func health(_ exchange: Exchange) {
    func unavailable(_ status: String, _ error: ServiceError) {
      exchange.answer(
        .json(Self.status(status), status: .serviceUnavailable, fields: error.fields))
    }
    switch models.readiness(exchange.service.parsing) {
    case .loading: unavailable("loading", .loading)
    case .draining: unavailable("draining", .draining)
    case .stalled: unavailable("stalled", .stalled)
    case .ready(let model):
      exchange.answer(.json(Self.status("ready", model: model.name)))
    }
  }

  private static func status(_ status: String, model: String? = nil) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("status")
    writer.string(status)
    if let model {
      writer.key("model")
      writer.string(model)
    }
    writer.endObject()
    return writer.bytes
  }

  /// `GET /info`: of the default model, or with `?model=NAME` of another one.
  func info(_ exchange: Exchange) {
    do throws(ServiceError) {
      let given = try exchange.givenParameters()
      let model = try models.named(given.single("model"))
      var writer = JSONWriter()
      writer.beginObject()
      writer.key("model")
      writer.string(model.name)
      writer.key("version")
      writer.string(exchange.service.process.version)
      writer.key("models")
      writer.beginArray()
      for model in try models.all() { writer.string(model.name) }
      writer.endArray()
      writer.key("output_keys")
      writer.beginArray()
      for key in model.info.keys { writer.string(key.rawValue) }
      writer.endArray()
      writer.key("shape")
      writer.beginObject()
      let sizes: KeyValuePairs<String, Int?> = [
        "hidden_size": model.info.hiddenSize, "blocks": model.info.blockCount,
        "positions": model.info.positionCount,
        "sentence_size": model.info.has(.sentenceEmbedding)
          ? model.info.width(of: .sentenceEmbedding) : nil,
        "vocabulary_size": model.tokenizer.vocabulary.count,
      ]
      for (name, size) in sizes {
        writer.key(name)
        if let size { writer.integer(size) } else { writer.null() }
      }
      writer.endObject()
      writer.key("widths")
      writer.beginObject()
      for key in model.info.keys {
        writer.key(key.rawValue)
        writer.integer(model.info.width(of: key))
      }
      writer.endObject()
      writer.key("labels")
      writer.beginArray()
      for label in model.info.labels { writer.string(label) }
      writer.endArray()
      for (name, value) in model.facts + model.notes {
        writer.key(name)
        if let number = Int(value) { writer.integer(number) } else { writer.string(value) }
      }
      writeTEI(model, exchange.service.process, to: &writer)
      writer.key("limits")
      writer.beginObject()
      writer.key("max_tokens")
      writer.integer(model.defaultMaxTokens)
      for (name, value) in exchange.service.process.limits {
        writer.key(name)
        writer.integer(value)
      }
      writer.endObject()
      writer.endObject()
      exchange.answer(.json(writer.bytes))
    } catch {
      exchange.fail(error)
    }
  }

  /// A reranker is a classifier with one label.
  private func writeClassifier(_ labels: [String], to writer: inout JSONWriter) {
    writer.key(labels.count == 1 ? "reranker" : "classifier")
    writer.beginObject()
    writer.key("id2label")
    writer.beginObject()
    for (id, label) in labels.enumerated() {
      writer.key(String(id))
      writer.string(label)
    }
    writer.endObject()
    writer.key("label2id")
    writer.beginObject()
    var written: Set<String> = []
    for (id, label) in labels.enumerated() where written.insert(label).inserted {
      writer.key(label)
      writer.integer(id)
    }
    writer.endObject()
    writer.endObject()
  }

  /// text-embeddings-inference's members, by its names.
  private func writeTEI(
    _ model: ServedModel, _ process: ProcessFacts, to writer: inout JSONWriter
  ) {
    let limits = Dictionary(process.limits.map { ($0.name, $0.value) }) { $1 }
    for name in ["model_id", "served_model_name"] {
      writer.key(name)
      writer.string(model.name)
    }
    writer.key("model_sha")
    writer.null()
    writer.key("model_dtype")
    writer.string(model.facts.first { $0.name == "precision" }?.value ?? "float32")
    writer.key("model_type")
    writer.beginObject()
    if model.isClassifier {
      writeClassifier(model.info.labels, to: &writer)
    } else {
      writer.key("embedding")
      writer.beginObject()
      writer.key("pooling")
      writer.string(model.sentence?.pooling ?? "cls")
      writer.endObject()
    }
    writer.endObject()
    let numbers: KeyValuePairs<String, Int?> = [
      "max_concurrent_requests": limits["max_connections"],
      "max_input_length": model.defaultMaxTokens, "max_batch_tokens": limits["max_batch_tokens"],
      "max_batch_requests": nil, "max_client_batch_size": limits["max_texts"],
      "tokenization_workers": model.facts.first { $0.name == "threads" }.flatMap { Int($0.value) },
    ]
    for (name, number) in numbers {
      writer.key(name)
      if let number { writer.integer(number) } else { writer.null() }
    }
    writer.key("auto_truncate")
    writer.boolean(true)
    writer.key("prompts")
    writer.beginArray()
    for name in (model.sentence?.prompts ?? [:]).keys.sorted() { writer.string(name) }
    writer.endArray()
    for name in ["sha", "docker_label"] {
      writer.key(name)
      writer.null()
    }
  }
}
