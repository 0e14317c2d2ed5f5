import HTTP
import HTTPTypes
import JSON

/// The API's description, OpenAPI 3.1, made of the table that requests are routed by.
struct OpenAPIDocument {
  let routes: [Route]
  let version: String
  let modelVersion: String
  /// Names of the served models, but for Hub ids; empty while they are loaded.
  let models: [String]
  /// Before every path; empty for none.
  var basePath = ""

  var value: JSONValue {
    var paths: [RawText: [RawText: JSONValue]] = [:]
    for route in routes {
      let method = RawText(route.method.rawValue.lowercased())
      paths[RawText(route.path), default: [:]][method] = operation(route)
    }
    return [
      "openapi": "3.1.0",
      "info": [
        "title": "bert-server", "version": .string(version),
        "summary": "Texts to the entries of BERT's output map.",
        "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
      ],
      "servers": [["url": .string(basePath.isEmpty ? "/" : basePath)]],
      "tags": .array(tags.map { ["name": .string($0)] }),
      "security": [[:], ["apiKey": []]],
      "paths": .object(paths.mapValues(JSONValue.object)),
      "components": [
        "schemas": .object(
          Dictionary(
            routes.map { (RawText($0.errors.name), $0.errors.schema) }, uniquingKeysWith: { $1 })),
        "securitySchemes": [
          "apiKey": [
            "type": "http", "scheme": "bearer",
            "description": "Asked for if the server was given a file of keys.",
          ]
        ],
      ],
    ]
  }

  /// In the order of the routes.
  private var tags: [String] {
    routes.reduce(into: []) { tags, route in
      let name = route.documentation.tag.name
      if !tags.contains(name) { tags.append(name) }
    }
  }

  private func operation(_ route: Route) -> JSONValue {
    let documentation = route.documentation
    var operation: [RawText: JSONValue] = [
      "operationId": .string(Self.identifier(route)),
      "tags": [.string(documentation.tag.name)],
      "summary": .string(documentation.summary),
      "parameters": .array(
        route.places.map(place) + documentation.parameters.map(parameter)),
      "responses": .object(responses(route)),
    ]
    if route.isOpen { operation["security"] = [] }
    if !documentation.bodies.isEmpty {
      var content: [RawText: JSONValue] = [:]
      for body in documentation.bodies {
        content[RawText(body.type.name)] = ["schema": body.schema, "example": body.example]
      }
      operation["requestBody"] = [
        "required": .boolean(documentation.isBodyRequired), "content": .object(content),
      ]
    }
    return .object(operation)
  }

  /// `post_v2_models_model_infer`.
  private static func identifier(_ route: Route) -> String {
    let words = route.path.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init)
    return ([route.method.rawValue.lowercased()] + words).joined(separator: "_")
  }

  private func place(_ name: String) -> JSONValue {
    let (values, meaning) =
      switch name {
      case "model": (models, "A served model's name.")
      case "version": ([modelVersion], "The model's version; there is one.")
      default: (["stable"], "The version's label; there is one.")
      }
    var schema: [RawText: JSONValue] = ["type": "string"]
    if !values.isEmpty { schema["enum"] = .array(values.map(JSONValue.string)) }
    return [
      "name": .string(name), "in": "path", "required": true, "description": .string(meaning),
      "schema": .object(schema),
    ]
  }

  private func parameter(_ parameter: Documentation.Parameter) -> JSONValue {
    let isModel = parameter.name == Documentation.Parameter.model.name && !models.isEmpty
    // An empty one is none.
    let models = models + [""]
    return [
      "name": .string(parameter.name), "in": .string(parameter.isHeader ? "header" : "query"),
      "description": .string(parameter.meaning),
      "schema": isModel ? ["enum": .array(models.map(JSONValue.string))] : parameter.schema,
    ]
  }

  private func responses(_ route: Route) -> [RawText: JSONValue] {
    var content: [RawText: JSONValue] = [:]
    for answer in route.documentation.answers {
      var media: [RawText: JSONValue] = [:]
      if let schema = answer.schema { media["schema"] = schema }
      if let example = answer.example { media["example"] = example }
      content[RawText(answer.contentType)] = .object(media)
    }
    var responses: [RawText: JSONValue] = ["200": ["description": "The answer."]]
    if !content.isEmpty {
      responses["200"] = ["description": "The answer.", "content": .object(content)]
    }
    for (status, errors) in Dictionary(grouping: route.failures, by: route.errors.status(of:)) {
      responses[RawText(String(status.code))] = route.errors.documentation(of: errors)
    }
    responses["default"] = route.errors.documentation(of: [])
    return responses
  }
}

extension Route {
  /// One of each failure that the route may answer with; their bodies are its examples.
  fileprivate var failures: [ServiceError] {
    if isOpen { return documentation.answers.isEmpty || path != "/health/live" ? [.loading] : [] }
    let always: [ServiceError] = [
      .unauthorized(.missing), .unauthorized(.unknown), .notAcceptable, .loading,
      .unknownModel(name: "other", served: "all-MiniLM-L6-v2"),
      .invalid("there is no parameter 'modle'; there are model"),
    ]
    guard takesBody else { return always }
    return always + [
      .unprocessable("there are 5000 texts and the limit is 2048; send them in parts"),
      .empty("there are no texts; a list holds at least one, and \"\" is a text"),
      .answerTooLarge("the answer would be about 300000000 bytes and the limit is 268435456"),
      .unsupportedContentType(
        "image/png", accepted: accepts.map(\.name).joined(separator: ", ")),
      .overloaded(retryAfter: 1), .deadlinePassed,
      .backend("the model made a NaN or an infinity"),
    ]
  }
}

extension ErrorShape {
  /// - Parameter errors: of one status; none for any other status.
  fileprivate func documentation(of errors: [ServiceError]) -> JSONValue {
    var media: [RawText: JSONValue] = [
      "schema": ["$ref": .string("#/components/schemas/\(name)")]
    ]
    var examples: [RawText: JSONValue] = [:]
    for (index, error) in errors.enumerated() {
      guard case .bytes(let bytes) = response(error).body,
        let body = try? JSONParser.parse(bytes)
      else { continue }
      examples[RawText("example\(index + 1)")] = ["value": body]
    }
    if !examples.isEmpty { media["examples"] = .object(examples) }
    let types = Set(errors.map(\.type)).sorted().joined(separator: ", ")
    return [
      "description": .string(errors.isEmpty ? "Any other failure." : types),
      "content": ["application/json": .object(media)],
    ]
  }
}

extension Exchange {
  /// Answers with the API's description.
  ///
  /// - Parameters:
  ///   - models: names of those that are served.
  ///   - modelVersion: of protocols that have versions of a model.
  package func describeAPI(models: [String], modelVersion: String) {
    let kept = service.keptDocument.withLock { kept in
      if kept?.models != models {
        kept = KeptDocument(
          OpenAPIDocument(
            routes: service.router.routes, version: service.process.version,
            modelVersion: modelVersion, models: models,
            basePath: service.basePath.text))
      }
      return kept
    }
    guard let kept else { return }
    answer(.json(kept.bytes), keptGzip: kept.gzip)
  }
}

/// The document as it is sent: it takes ten milliseconds to make.
struct KeptDocument: Sendable {
  let models: [String]
  let bytes: [UInt8]
  let gzip: [UInt8]?

  init(_ document: OpenAPIDocument) {
    models = document.models
    var writer = JSONWriter()
    writer.value(document.value)
    bytes = writer.bytes
    gzip = GzipEncoder()?.encode(bytes, .end)
  }
}
