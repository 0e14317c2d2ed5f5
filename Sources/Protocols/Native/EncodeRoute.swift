import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import Tokenizers

/// The server's own API.
struct NativeRoutes: Sendable {
  let models: ServedModels

  var group: RouteGroup {
    RouteGroup([Route(.post, "/encode", .encode) { encode($0) }])
  }

  /// `POST /encode`.
  private func encode(_ exchange: Exchange) {
    exchange.readBody { body throws(ServiceError) in try start(exchange, body) }
  }

  private func start(_ exchange: Exchange, _ bytes: [UInt8]) throws(ServiceError) {
    let fields = exchange.request.head.headerFields
    // What is none of ours was refused by the head alone.
    let type = ContentType(field: fields[.contentType]) ?? .unstated
    var given = try exchange.givenParameters()
    if let timeout = try MapRequest.timeout(given) { exchange.setTimeout(timeout) }
    let body = try EncodeBody(bytes, type, limits: exchange.bodyLimits)
    for (name, values) in body.parameters {
      guard given[name] == nil else {
        throw .invalid("\(name) stands both in the query and in the body; give it once")
      }
      given[name] = values
    }
    let model = try models.named(given.single("model"))
    let parameters = try EncodeParameters(given, accept: fields[.accept], for: model)
    let isRectangular = parameters.format == .npy || parameters.format == .safetensors
    let id = body.id
    let job = MapJob(
      request: parameters.map, inputs: body.texts.map(MapInput.text), coding: parameters.coding,
      copies: id == nil ? 1 : 2, echoedBytes: id == nil ? 0 : bytes.count,
      rectangularFormat: isRectangular ? parameters.format.rawValue : nil
    ) { answer in
      EncodeAnswer(answer, parameters, id: id).response()
    }
    guard type == .ndjson else { return try exchange.encode(job) }
    guard parameters.format == .json || parameters.format == .base64 else {
      throw .invalid("an x-ndjson body is answered a line at a time: format is json or base64")
    }
    // The answer is never whole in memory, so only its lines have a bound.
    let texts = try exchange.tokenize(job)
    let longest = texts.map(\.sequence.count).max() ?? 0
    try AnswerSize(job, texts: 1, tokens: longest).check(
      limit: exchange.service.limits.outputBytes,
      "that is the line of the longest text: ask for fewer keys, a smaller max_tokens, or top_k "
        + "with mlm_logits")
    try EncodeStream.start(
      exchange, parameters, texts,
      windowTimeout: exchange.service.limits.requestTimeout)
  }
}
