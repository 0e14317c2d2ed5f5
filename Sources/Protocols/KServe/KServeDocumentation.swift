import Encoding
import JSON
import Serving

extension Documentation {
  static let kserveHealth = Documentation(
    tag: .kserve, summary: "200 if it is so; there is nothing to read.", answers: [])

  static let kserveServer = Documentation(
    tag: .kserve, summary: "The server and its extensions.",
    answers: [
      Answer(
        schema: .fields(
          ["name": .text, "version": .text, "extensions": .texts],
          required: ["name", "version", "extensions"]),
        example: [
          "name": "bert-server", "version": "1.0.0", "extensions": ["binary_tensor_data"],
        ])
    ])

  private static let tensor: JSONValue = .fields(
    ["name": .text, "datatype": .text, "shape": .list(of: ["type": "integer"])],
    required: ["name", "datatype", "shape"])

  static let kserveModel = Documentation(
    tag: .kserve, summary: "A model's tensors.",
    answers: [
      Answer(
        schema: .fields(
          [
            "name": .text, "versions": .texts, "platform": .text, "inputs": .list(of: tensor),
            "outputs": .list(of: tensor),
          ], required: ["name", "versions", "platform", "inputs", "outputs"]),
        example: [
          "name": "all-MiniLM-L6-v2", "versions": ["1"], "platform": "bert_server",
          "inputs": [["name": "text", "datatype": "BYTES", "shape": [-1]]],
          "outputs": [["name": "default", "datatype": "FP32", "shape": [-1, 384]]],
        ])
    ])

  static let kserveConfiguration = Documentation(
    tag: .kserve, summary: "A model's configuration, as Triton tells it.",
    answers: [
      Answer(
        schema: .fields(
          [
            "name": .text, "platform": .text, "backend": .text,
            "max_batch_size": ["type": "integer"], "input": ["type": "array"],
            "output": ["type": "array"],
          ], required: ["name", "platform", "max_batch_size", "input", "output"]),
        example: [
          "name": "all-MiniLM-L6-v2", "platform": "bert_server", "max_batch_size": 0,
          "input": [], "output": [],
        ])
    ])

  static let kserveStatistics = Documentation(
    tag: .kserve, summary: "Counts of requests and their times, as Triton tells them.",
    answers: [
      Answer(
        schema: .fields(["model_stats": .list(of: ["type": "object"])], required: ["model_stats"]),
        example: ["model_stats": [["name": "all-MiniLM-L6-v2", "version": "1"]]])
    ])

  static let kserveIndex = Documentation(
    tag: .kserve, summary: "The models.",
    bodies: [Body(type: .json, schema: ["type": "object"], example: [:])],
    isBodyRequired: false,
    answers: [
      Answer(
        schema: .list(
          of: .fields(["name": .text, "version": .text, "state": .text, "reason": .text])),
        example: [
          ["name": "all-MiniLM-L6-v2", "version": "1", "state": "READY", "reason": ""]
        ])
    ])

  private static let parameters: JSONValue = [
    "type": ["object", "null"],
    "description": """
    seq_length, max_tokens, truncate, layers, timeout (microseconds), binary_data_output; others \
    are told again in the answer.
    """,
  ]

  private static let inferBody: JSONValue = .fields(
    [
      "id": .orNull("string"), "parameters": parameters,
      "inputs": .list(
        of: .fields(
          [
            "name": [
              "enum": .array(
                NamedInputs.allNames.map { .string($0.string) })
            ],
            "shape": .list(of: ["type": "integer", "minimum": 0]),
            "datatype": ["enum": ["BYTES", "INT32", "INT64"]], "data": ["type": "array"],
            "parameters": ["type": ["object", "null"]],
          ], required: ["name", "shape", "datatype"])),
      "outputs": [
        "type": ["array", "null"],
        "items": .fields(
          ["name": .text, "parameters": ["type": ["object", "null"]]], required: ["name"]),
      ],
    ], required: ["inputs"])

  static let infer = Documentation(
    tag: .kserve, summary: "Entries of the output map as tensors; outputs are named as its keys.",
    parameters: [
      Parameter(
        name: "Inference-Header-Content-Length",
        meaning: "Bytes of the JSON, where binary tensors follow; 0 if the body is one text.",
        schema: ["type": "integer", "minimum": 0], isHeader: true)
    ],
    bodies: [
      Body(
        type: .json, schema: inferBody,
        example: [
          "inputs": [["name": "text", "shape": [1], "datatype": "BYTES", "data": [.goldfish]]],
          "outputs": [["name": "default"]],
        ]),
      Body(type: .binary, schema: ["type": "string", "format": "binary"], example: .goldfish),
    ],
    answers: [
      Answer(
        schema: .fields(
          [
            "model_name": .text, "model_version": .text, "id": .text,
            "outputs": .list(
              of: .fields(
                [
                  "name": .text, "datatype": .text, "shape": .list(of: ["type": "integer"]),
                  "data": .numbers,
                ], required: ["name", "datatype", "shape"])),
          ], required: ["model_name", "model_version", "outputs"]),
        example: [
          "model_name": "all-MiniLM-L6-v2", "model_version": "1",
          "outputs": [
            [
              "name": "default", "datatype": "FP32", "shape": [1, 2],
              "data": [.double(0.03), .double(0.06)],
            ]
          ],
        ]),
      Answer(contentType: "application/octet-stream"),
    ])
}

extension Documentation.Tag {
  static let kserve = Self("KServe v2")
}
