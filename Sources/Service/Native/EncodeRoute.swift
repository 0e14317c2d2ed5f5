import HTTP
import HTTPTypes
import JSON
import WordPiece

extension Service {
  /// `POST /encode`.
  func encode(_ exchange: Exchange) {
    work(exchange) { [self] () throws(ServiceError) in try start(exchange) }
  }

  private func start(_ exchange: Exchange) throws(ServiceError) {
    let request = exchange.request
    let fields = request.head.headerFields
    // What is none of ours was refused by the head alone.
    let type = ContentType(field: fields[.contentType]) ?? .unstated
    var given = try parameters(exchange)
    let body = try EncodeBody(request.body, type, jsonLimits: jsonLimits)
    for (name, values) in body.parameters {
      guard given[name] == nil else {
        throw .invalid("\(name) stands both in the query and in the body; give it once")
      }
      given[name] = values
    }
    let model = try model(named: given.single("model"))
    let parameters = try EncodeParameters(given, accept: fields[.accept], for: model)
    let isRectangular = parameters.format == .npy || parameters.format == .safetensors
    let job = MapJob(
      request: parameters.map, inputs: body.texts.map(MapInput.text), coding: parameters.coding,
      rectangularFormat: isRectangular ? parameters.format.rawValue : nil
    ) { answer in
      EncodeAnswer(answer, parameters, id: body.id).response()
    }
    guard type == .ndjson else { return try run(job, for: exchange) }
    guard parameters.format == .json || parameters.format == .base64 else {
      throw .invalid("an x-ndjson body is answered a line at a time: format is json or base64")
    }
    // The answer is never whole in memory, so it has no bound.
    let timeout = parameters.map.timeout
    try EncodeStream.start(
      exchange, parameters, tokenize(job, for: exchange),
      deadline: timeout.map { request.receivedAt + $0 }, windowTimeout: limits.requestTimeout)
  }

  var jsonLimits: JSONParser.Limits {
    var limits = JSONParser.Limits()
    limits.depth = self.limits.jsonDepth
    return limits
  }

  /// The query's parameters; one that the route does not declare is refused.
  func parameters(_ exchange: Exchange) throws(ServiceError) -> GivenParameters {
    var given: GivenParameters = [:]
    let items: [RequestTarget.QueryItem]
    do {
      items = try RequestTarget(exchange.request.head.path ?? "/").query
    } catch {
      throw .invalid("the query does not parse: \(error.message)")
    }
    let known = exchange.queryNames
    for item in items {
      guard known.contains(item.name) else {
        throw .invalid(
          "there is no parameter '\(item.name)'; there are \(known.joined(separator: ", "))")
      }
      given[item.name, default: []].append(item.value)
    }
    return given
  }
}
