import JSON
import Serving

extension Documentation {
  static let live = Documentation(
    tag: .operations, summary: "Whether the process listens.",
    answers: [status(example: ["status": "live"])])

  static let health = Documentation(
    tag: .operations, summary: "Whether texts are encoded; 503 while loading and stopping.",
    answers: [status(example: ["status": "ready", "model": "all-MiniLM-L6-v2"])])

  private static func status(example: JSONValue) -> Answer {
    Answer(
      schema: .fields(["status": .text, "model": .text], required: ["status"]), example: example)
  }

  static let info = Documentation(
    tag: .operations,
    summary: "A model, its shape, how it is computed, limits; text-embeddings-inference's too.",
    parameters: [.model],
    answers: [
      Answer(
        schema: .fields(
          [
            "model": .text, "version": .text, "models": .texts, "output_keys": .texts,
            "shape": ["type": "object", "additionalProperties": .orNull("integer")],
            "widths": ["type": "object", "additionalProperties": ["type": "integer"]],
            "labels": .list(of: .text),
            "limits": ["type": "object", "additionalProperties": ["type": "integer"]],
            "model_id": .text, "max_input_length": ["type": "integer"],
            "auto_truncate": ["type": "boolean"],
          ],
          required: [
            "model", "version", "models", "output_keys", "shape", "widths", "labels", "limits",
          ]),
        example: [
          "model": "all-MiniLM-L6-v2", "version": "1.0.0", "models": ["all-MiniLM-L6-v2"],
          "output_keys": ["default", "pooled_output"], "shape": ["hidden_size": 384],
          "widths": ["default": 384, "pooled_output": 384], "labels": [],
          "limits": ["max_tokens": 256], "model_id": "all-MiniLM-L6-v2",
          "max_input_length": 256, "auto_truncate": true,
        ])
    ])

  static let metrics = Documentation(
    tag: .operations, summary: "Prometheus' text format.",
    answers: [
      Answer(
        contentType: "text/plain",
        example: "# TYPE te_queue_size gauge\nte_queue_size 0\n")
    ])

  static let openAPI = Documentation(
    tag: .operations, summary: "This description.",
    answers: [
      Answer(
        schema: .fields(["openapi": .text, "paths": ["type": "object"]], required: ["openapi"]),
        example: ["openapi": "3.1.0", "paths": [:]])
    ])
}
