import JSON

/// What a route takes and gives: it is routed and described by the same declaration.
struct Documentation: Sendable {
  /// A kind of body, with its schema (JSON Schema 2020-12) and an example.
  struct Body: Sendable {
    var type: ContentType
    var schema: JSONValue
    var example: JSONValue
  }

  /// A parameter of the query or a header field.
  struct Parameter: Sendable {
    var name: String
    var meaning: String
    var schema: JSONValue
    var isHeader = false
  }

  /// A good answer.
  struct Answer: Sendable {
    var contentType = "application/json"
    /// Nil for an answer that is not JSON.
    var schema: JSONValue?
    var example: JSONValue?
  }

  var tag: Tag
  var summary: String
  var parameters: [Parameter] = []
  var bodies: [Body] = []
  var isBodyRequired = true
  /// Empty for an answer without a body.
  var answers: [Answer]

  var queryNames: [RawText] { parameters.filter { !$0.isHeader }.map { RawText($0.name) } }

  enum Tag: String, CaseIterable {
    case native = "bert-server"
    case operations = "Operations"
    case openAI = "OpenAI"
    case tei = "text-embeddings-inference"
    case kserve = "KServe v2"
    case tensorFlowServing = "TensorFlow Serving"
  }
}

extension Documentation.Parameter {
  static let model = Self(
    name: "model", meaning: "A served model's name; the first when absent.",
    schema: ["type": "string"])
}

/// Schemas that several routes share.
extension JSONValue {
  static let text: JSONValue = ["type": "string"]
  static let texts: JSONValue = ["type": "array", "items": .text, "minItems": 1]
  static let textOrTexts: JSONValue = ["anyOf": [.text, .texts]]
  static let numbers: JSONValue = ["type": "array", "items": ["type": "number"]]
  static let tokenIDs: JSONValue = [
    "type": "array", "items": ["type": "integer", "minimum": 0], "minItems": 1,
  ]

  static func list(of items: JSONValue) -> JSONValue { ["type": "array", "items": items] }

  /// An object with these members.
  static func fields(
    _ properties: [RawText: JSONValue], required: [String] = [], isClosed: Bool = false
  ) -> JSONValue {
    var schema: [RawText: JSONValue] = ["type": "object", "properties": .object(properties)]
    if !required.isEmpty { schema["required"] = .array(required.map(JSONValue.string)) }
    if isClosed { schema["additionalProperties"] = false }
    return .object(schema)
  }

  static func orNull(_ type: String) -> JSONValue { ["type": [.string(type), "null"]] }

  static let goldfish: JSONValue =
    "Improve the physical fitness of your goldfish by getting him a bicycle"
}
