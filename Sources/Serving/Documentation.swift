package import JSON

/// What a route takes and gives: it is routed and described by the same declaration.
package struct Documentation: Sendable {
  /// A kind of body, with its schema (JSON Schema 2020-12) and an example.
  package struct Body: Sendable {
    var type: ContentType
    var schema: JSONValue
    var example: JSONValue

    package init(type: ContentType, schema: JSONValue, example: JSONValue) {
      self.type = type
      self.schema = schema
      self.example = example
    }
  }

  /// A parameter of the query or a header field.
  package struct Parameter: Sendable {
    package var name: String
    package var meaning: String
    var schema: JSONValue
    var isHeader: Bool

    package init(name: String, meaning: String, schema: JSONValue, isHeader: Bool = false) {
      self.name = name
      self.meaning = meaning
      self.schema = schema
      self.isHeader = isHeader
    }
  }

  /// A good answer.
  package struct Answer: Sendable {
    var contentType: String
    /// Nil for an answer that is not JSON.
    var schema: JSONValue?
    var example: JSONValue?

    package init(
      contentType: String = "application/json", schema: JSONValue? = nil, example: JSONValue? = nil
    ) {
      self.contentType = contentType
      self.schema = schema
      self.example = example
    }
  }

  var tag: Tag
  var summary: String
  var parameters: [Parameter]
  var bodies: [Body]
  var isBodyRequired: Bool
  /// Empty for an answer without a body.
  var answers: [Answer]

  package init(
    tag: Tag, summary: String, parameters: [Parameter] = [], bodies: [Body] = [],
    isBodyRequired: Bool = true, answers: [Answer]
  ) {
    self.tag = tag
    self.summary = summary
    self.parameters = parameters
    self.bodies = bodies
    self.isBodyRequired = isBodyRequired
    self.answers = answers
  }

  var queryNames: [RawText] { parameters.filter { !$0.isHeader }.map { RawText($0.name) } }

  /// The protocol's name.
  package struct Tag: Sendable, Hashable {
    package var name: String

    package init(_ name: String) { self.name = name }

    package static let operations = Tag("Operations")
  }
}

extension Documentation.Parameter {
  package static let model = Self(
    name: "model", meaning: "A served model's name; the first when absent.",
    schema: ["type": "string"])
}

/// Schemas that several routes share.
extension JSONValue {
  package static let text: JSONValue = ["type": "string"]
  package static let texts: JSONValue = ["type": "array", "items": .text, "minItems": 1]
  package static let textOrTexts: JSONValue = ["anyOf": [.text, .texts]]
  package static let numbers: JSONValue = ["type": "array", "items": ["type": "number"]]
  package static let tokenIDs: JSONValue = [
    "type": "array", "items": ["type": "integer", "minimum": 0], "minItems": 1,
  ]

  package static func list(of items: JSONValue) -> JSONValue { ["type": "array", "items": items] }

  /// An object with these members.
  package static func fields(
    _ properties: [RawText: JSONValue], required: [String] = [], isClosed: Bool = false
  ) -> JSONValue {
    var schema: [RawText: JSONValue] = ["type": "object", "properties": .object(properties)]
    if !required.isEmpty { schema["required"] = .array(required.map(JSONValue.string)) }
    if isClosed { schema["additionalProperties"] = false }
    return .object(schema)
  }

  package static func orNull(_ type: String) -> JSONValue { ["type": [.string(type), "null"]] }

  package static let goldfish: JSONValue =
    "Improve the physical fitness of your goldfish by getting him a bicycle"
}
