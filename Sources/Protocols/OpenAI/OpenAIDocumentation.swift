import JSON
import Serving

extension Documentation {
  static let embeddings = Documentation(
    tag: .openAI, summary: "A vector a text, as OpenAI's embeddings.",
    bodies: [
      Body(
        type: .json,
        schema: .fields(
          [
            "input": .textOrTexts, "model": .orNull("string"),
            "encoding_format": ["enum": ["float", "base64", .null], "default": "float"],
            "dimensions": ["type": ["integer", "null"], "minimum": 0],
            "output_dimension": ["type": ["integer", "null"], "minimum": 0],
            "normalize": ["type": ["boolean", "null"], "default": true],
            "normalized": ["type": ["boolean", "null"], "default": true],
            "use_activation": ["type": ["boolean", "null"], "default": true],
            "truncation": ["type": ["boolean", "null"], "default": true],
            "truncation_side": ["enum": ["left", "right", .null], "default": "right"],
            "extra_body": ["type": ["object", "null"]],
            "truncate_prompt_tokens": [
              "anyOf": [
                ["const": -1],
                ["type": ["integer", "null"], "minimum": 2, "maximum": 2_147_483_648],
              ]
            ],
            "truncate": ["enum": ["END", "START", "NONE", true, false, .null], "default": "END"],
            "prompt_name": .orNull("string"),
            "input_type": [
              "type": ["string", "null"], "examples": ["query", "passage", "document"],
            ],
          ], required: ["input"]),
        example: ["model": "all-MiniLM-L6-v2", "input": [.goldfish]])
    ],
    answers: [
      Answer(
        schema: .fields(
          [
            "object": ["const": "list"],
            "data": .list(
              of: .fields(
                [
                  "object": ["const": "embedding"], "index": ["type": "integer"],
                  "embedding": ["anyOf": [.numbers, .text]],
                ], required: ["object", "index", "embedding"])),
            "model": .text,
            "usage": .fields(
              [
                "prompt_tokens": ["type": "integer"], "total_tokens": ["type": "integer"],
                "truncated_texts": ["type": "integer"],
              ],
              required: ["prompt_tokens", "total_tokens"]),
          ], required: ["object", "data", "model", "usage"]),
        example: [
          "object": "list", "model": "all-MiniLM-L6-v2",
          "data": [
            [
              "object": "embedding", "index": 0, "embedding": [.double(0.05), .double(0.09)],
            ]
          ],
          "usage": ["prompt_tokens": 15, "total_tokens": 15],
        ])
    ])

  static let cohereRerank = Documentation(
    tag: .openAI,
    summary: "Documents by their relevance for a query, as Cohere's and Jina's rerank.",
    bodies: [
      Body(
        type: .json,
        schema: .fields(
          [
            "model": .orNull("string"), "query": .text,
            "documents": [
              "type": "array", "minItems": 1,
              "items": ["anyOf": [.text, .fields(["text": .text], required: ["text"])]],
            ],
            "top_n": ["type": ["integer", "null"], "minimum": 1],
            "top_k": ["type": ["integer", "null"], "minimum": 1],
            "raw_scores": ["type": ["boolean", "null"], "default": false],
            "rank_fields": ["enum": [["text"], .null]],
            "return_documents": ["type": ["boolean", "null"], "default": false],
            "truncation": ["type": ["boolean", "null"], "default": true],
          ], required: ["query", "documents"]),
        example: ["query": "a fish", "documents": ["a goldfish", "a bicycle"], "top_n": 1])
    ],
    answers: [
      Answer(
        schema: .fields(
          [
            "model": .text,
            "results": .list(
              of: .fields(
                [
                  "index": ["type": "integer"], "relevance_score": ["type": "number"],
                  "document": .fields(["text": .text], required: ["text"]),
                ], required: ["index", "relevance_score"])),
            "usage": ["type": "object"],
          ], required: ["model", "results", "usage"]),
        example: [
          "model": "ms-marco-MiniLM-L6-v2",
          "results": [["index": 0, "relevance_score": .double(0.99)]],
          "usage": ["prompt_tokens": 20, "total_tokens": 20],
        ])
    ])

  private static let modelSchema: JSONValue = .fields(
    [
      "id": .text, "object": ["const": "model"], "created": ["type": "integer"],
      "owned_by": .text, "name": .text, "ready": ["type": "boolean"],
      "model_version_status": ["type": "array"],
    ], required: ["id", "object", "created", "owned_by", "name", "ready", "model_version_status"])

  private static let modelExample: JSONValue = [
    "id": "all-MiniLM-L6-v2", "object": "model", "created": 1_700_000_000,
    "owned_by": "bert-server", "name": "all-MiniLM-L6-v2", "ready": true,
    "model_version_status": [
      [
        "version": "1", "state": "AVAILABLE",
        "status": ["error_code": "OK", "error_message": ""],
      ]
    ],
  ]

  static let models = Documentation(
    tag: .openAI, summary: "The models, as OpenAI and KServe v1 list them.",
    answers: [
      Answer(
        schema: .fields(
          [
            "object": ["const": "list"], "data": .list(of: modelSchema), "models": .texts,
          ], required: ["object", "data", "models"]),
        example: [
          "object": "list", "data": [modelExample], "models": ["all-MiniLM-L6-v2"],
        ])
    ])

  static let model = Documentation(
    tag: .openAI, summary: "A model, as OpenAI, KServe v1 and TensorFlow Serving tell of it.",
    answers: [Answer(schema: modelSchema, example: modelExample)])
}

extension Documentation.Tag {
  static let openAI = Self("OpenAI")
}
