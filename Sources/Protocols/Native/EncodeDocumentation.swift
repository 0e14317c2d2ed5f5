import EncoderContract
import Encoding
import JSON
import Serving
import TensorFormats

extension EncodeParameters {
  static let declared: [Documentation.Parameter] =
    [
      .init(
        name: "output_key",
        meaning:
          "Entries of the map: a key, several with commas, or all, which is every key but mlm_logits. "
          + "With sentence_embedding, sparse_embedding or colbert among them all are of the text with "
          + "the folder's prompt before it, if it has one.",
        schema: ["type": "string", "default": "default"]),
      .init(
        name: "layers", meaning: "Blocks of encoder_outputs, in that order: 0,3,-1 or 2..5.",
        schema: ["type": "string", "pattern": #"^-?\d+(\.\.-?\d+)?(,-?\d+(\.\.-?\d+)?)*$"#]),
    ] + MapRequest.tokenParameters + [
      .init(
        name: "top_k",
        meaning:
          "Of mlm_logits the largest of each token, and which tokens of the vocabulary they are.",
        schema: ["type": "integer", "minimum": 1, "maximum": 1000]),
      .init(
        name: "tokens", meaning: "Adds each text's tokens with ids and UTF-8 offsets.",
        schema: ["type": "boolean", "default": false]),
      .init(
        name: "format", meaning: "How the answer is written; also by Accept.",
        schema: ["enum": .array(AnswerFormat.allCases.map { .string($0.rawValue) })]),
      .init(
        name: "dtype", meaning: "Elements of the binary formats.",
        schema: ["enum": .array(ElementFormat.allCases.map { .string($0.rawValue) })]),
      .model,
    ]
  static let names = declared.map { RawText($0.name) }

  /// Members of a body's object by the names of the parameters: each also as it stands in a query.
  fileprivate static let members: [RawText: JSONValue] = Dictionary(
    uniqueKeysWithValues: declared.map { parameter in
      let isList = parameter.name == "output_key" || parameter.name == "layers"
      var types: [JSONValue] = ["string", "integer", "boolean", "null"]
      if isList { types.append("array") }
      return (
        RawText(parameter.name),
        [
          "description": .string(parameter.meaning), "type": .array(types), "minItems": 1,
          "items": ["type": ["string", "integer", "boolean"]],
        ]
      )
    })
}

extension Documentation {
  static let encode = Documentation(
    tag: .native, summary: "Entries of the output map, for texts or pairs.",
    parameters: EncodeParameters.declared,
    bodies: [
      Body(type: .text, schema: ["type": "string"], example: .goldfish),
      Body(type: .json, schema: encodeBody, example: ["inputs": ["a fish", ["a", "pair"]]]),
      Body(type: .ndjson, schema: ["type": "string"], example: "\"a fish\"\n[\"a\", \"pair\"]\n"),
    ],
    answers: [
      Answer(
        schema: .fields(
          [
            "model": .text, "outputs": ["type": "object"],
            "shapes": [
              "type": "object", "additionalProperties": .list(of: .orNull("integer")),
            ],
            "lengths": .list(of: ["type": "integer"]),
            "truncated": .list(of: ["type": "boolean"]), "tokens": .list(of: tokens),
            "mlm_tokens": .list(
              of: .list(
                of: .list(
                  of: .fields(
                    ["id": ["type": "integer"], "token": .orNull("string")],
                    required: ["id", "token"])))),
          ], required: ["model", "outputs", "shapes", "lengths", "truncated"]),
        example: [
          "model": "all-MiniLM-L6-v2", "outputs": ["default": [[.double(0.03), .double(0.06)]]],
          "shapes": ["default": [1, 2]], "lengths": [4], "truncated": [false],
        ]),
      Answer(contentType: "application/x-ndjson"), Answer(contentType: "application/x-npy"),
      Answer(contentType: "application/x-safetensors"),
    ])

  /// Tokens of one text.
  static let tokens: JSONValue = .list(
    of: .fields(
      [
        "id": ["type": "integer"], "text": .text, "special": ["type": "boolean"],
        "start": .orNull("integer"), "stop": .orNull("integer"),
      ], required: ["id", "text", "special", "start", "stop"]))

  private static let encodeBody: JSONValue = {
    let item: JSONValue = ["anyOf": [.text, .list(of: .text)]]
    let inputs: JSONValue = ["anyOf": [.text, .list(of: item)]]
    var members = EncodeParameters.members
    for name: RawText in ["inputs", "text", "texts", "instances"] { members[name] = inputs }
    members["is_tokenized"] = ["type": "boolean", "default": false]
    members["id"] = ["description": "A bert-as-service client's, to be answered with."]
    return ["anyOf": [.text, .list(of: item), .fields(members, isClosed: true)]]
  }()
}
