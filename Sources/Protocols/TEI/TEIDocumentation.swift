import JSON
import Serving

extension Documentation {
  /// Members that say how texts become tokens.
  private static let truncation: [RawText: JSONValue] = [
    "truncate": ["type": ["boolean", "null"], "default": true],
    "truncation_direction": [
      "enum": ["left", "right", "Left", "Right", .null], "default": "right",
    ],
  ]
  private static let options = truncation.merging(["prompt_name": .orNull("string")]) { $1 }

  private static let inputs: JSONValue = [
    "anyOf": [.text, .tokenIDs, .list(of: ["anyOf": [.text, .tokenIDs]])]
  ]

  private static func route(
    _ summary: String, _ members: [RawText: JSONValue], required: String, example: JSONValue,
    _ answer: Answer
  ) -> Documentation {
    Documentation(
      tag: .tei, summary: summary, parameters: [.model],
      bodies: [
        Body(type: .json, schema: .fields(members, required: [required]), example: example)
      ],
      answers: [answer])
  }

  static let embed = route(
    "A vector a text.",
    options.merging([
      "inputs": inputs, "normalize": ["type": ["boolean", "null"], "default": true],
      "dimensions": ["type": ["integer", "null"], "minimum": 1],
    ]) { $1 }, required: "inputs", example: ["inputs": [.goldfish]],
    Answer(schema: .list(of: .numbers), example: [[.double(0.05), .double(0.09)]]))

  static let embedAll = route(
    "A vector a token; without the folder's default prompt.",
    options.merging(["inputs": inputs]) { $1 }, required: "inputs",
    example: ["inputs": [.goldfish]],
    Answer(
      schema: .list(of: .list(of: .numbers)), example: [[[.double(0.12), .double(0.57)]]]))

  static let similarity = route(
    "The cosine of one sentence's vector with each of others'.",
    [
      "inputs": .fields(
        ["source_sentence": .text, "sentences": .texts],
        required: ["source_sentence", "sentences"]),
      "parameters": ["type": ["object", "null"], "properties": .object(options)],
    ], required: "inputs",
    example: [
      "inputs": ["source_sentence": "a fish", "sentences": ["a goldfish", "a bicycle"]]
    ],
    Answer(schema: .numbers, example: [.double(0.81), .double(0.12)]))

  static let classify = route(
    "The labels of texts or pairs of texts with their scores, or of tokens, for a model with such a head.",
    [
      "inputs": [
        "anyOf": [
          .text, ["type": "array", "items": .text, "minItems": 1, "maxItems": 2],
          .list(of: ["type": "array", "items": .text, "minItems": 1, "maxItems": 2]),
        ]
      ],
      "raw_scores": ["type": ["boolean", "null"], "default": false],
      "parameters": [
        "type": ["object", "null"],
        "properties": [
          "function_to_apply": ["enum": ["sigmoid", "softmax", "none", .null]],
          "top_k": ["type": ["integer", "null"], "minimum": 1],
          "aggregation_strategy": ["enum": ["none", "simple", "first", "average", "max", .null]],
          "ignore_labels": ["type": ["array", "null"], "items": .text],
        ],
      ],
    ].merging(truncation) { $1 }, required: "inputs", example: ["inputs": "a fine film"],
    Answer(
      schema: ["type": "array"],
      example: [["score": .double(0.99), "label": "POSITIVE"]]))

  static let ownTask = route(
    "What the model is for: /predict with a classification head, the tokens for a mask with a "
      + "masked-LM head, /embed_sparse with SPLADE, else /embed.",
    [
      "inputs": ["type": ["string", "array"]],
      "parameters": [
        "type": ["object", "null"],
        "properties": [
          "top_k": ["type": ["integer", "null"], "minimum": 1],
          "targets": ["type": ["string", "array", "null"]],
        ],
      ],
    ], required: "inputs",
    example: ["inputs": [.goldfish]],
    Answer(schema: ["type": "array"], example: [[.double(0.05), .double(0.09)]]))

  static let embedSparse = route(
    "The tokens of the vocabulary that have a weight, for a SPLADE model.",
    options.merging(["inputs": inputs]) { $1 }, required: "inputs",
    example: ["inputs": [.goldfish]],
    Answer(
      schema: .list(
        of: .list(
          of: .fields(
            ["index": ["type": "integer"], "value": ["type": "number"]],
            required: ["index", "value"]))),
      example: [[["index": 3869, "value": .double(1.25)]]]))

  static let rerank = Documentation(
    tag: .tei,
    summary: "Texts by their relevance for a query, for a model whose head has one label. With "
      + "'documents' in place of 'texts' as on /v1/rerank.",
    parameters: [.model],
    bodies: [
      Body(
        type: .json,
        schema: .fields(
          [
            "query": .text, "texts": .texts, "documents": ["type": "array", "minItems": 1],
            "raw_scores": ["type": ["boolean", "null"], "default": false],
            "return_text": ["type": ["boolean", "null"], "default": false],
          ].merging(truncation) { $1 }, required: ["query"]),
        example: ["query": "a fish", "texts": ["a goldfish", "a bicycle"]])
    ],
    answers: [
      Answer(
        schema: ["type": ["array", "object"]],
        example: [["index": 0, "score": .double(0.99)], ["index": 1, "score": .double(0.01)]])
    ])

  static let tokenize = route(
    "Tokens of texts, with ids and UTF-8 offsets; without the folder's default prompt.",
    [
      "inputs": .textOrTexts, "prompt_name": .orNull("string"),
      "add_special_tokens": ["type": ["boolean", "null"], "default": true],
    ], required: "inputs", example: ["inputs": "a fish"],
    Answer(
      schema: .list(of: tokens),
      example: [
        [["id": 1037, "text": "a", "special": false, "start": 0, "stop": 1]]
      ]))

  static let decode = route(
    "Texts of token ids.",
    [
      "ids": ["anyOf": [.tokenIDs, ["type": "array", "items": .tokenIDs, "minItems": 1]]],
      "skip_special_tokens": ["type": ["boolean", "null"], "default": true],
    ], required: "ids", example: ["ids": [101, 1037, 3869, 102]],
    Answer(schema: .list(of: .text), example: ["a fish"]))
}

extension Documentation.Tag {
  static let tei = Self("text-embeddings-inference")
}
