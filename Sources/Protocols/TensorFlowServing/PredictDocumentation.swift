import Encoding
import JSON
import Serving

extension Documentation {
  static let modelStatus = Documentation(
    tag: .tensorFlowServing, summary: "The state of a version.",
    answers: [
      Answer(
        schema: .fields(
          ["model_version_status": .list(of: ["type": "object"])],
          required: ["model_version_status"]),
        example: ["model_version_status": [["version": "1", "state": "AVAILABLE"]]])
    ])

  static let signatures = Documentation(
    tag: .tensorFlowServing, summary: "The signatures: one for each key of the map.",
    answers: [
      Answer(
        schema: .fields(
          ["model_spec": ["type": "object"], "metadata": ["type": "object"]],
          required: ["model_spec", "metadata"]),
        example: ["model_spec": ["name": "all-MiniLM-L6-v2", "version": "1"], "metadata": [:]])
    ])

  static let predict = Documentation(
    tag: .tensorFlowServing, summary: "An entry of the output map, in row or column form.",
    parameters: MapRequest.tokenParameters,
    bodies: [
      Body(
        type: .json,
        schema: [
          "type": "object",
          "properties": [
            "signature_name": .text, "instances": ["type": "array", "minItems": 1],
            "inputs": ["type": ["string", "array", "object"]],
          ],
          "oneOf": [["required": ["instances"]], ["required": ["inputs"]]],
        ], example: ["signature_name": "pooled_output", "instances": [.goldfish]])
    ],
    answers: [
      Answer(
        schema: [
          "oneOf": [
            .fields(["predictions": ["type": "array"]], required: ["predictions"]),
            .fields(["outputs": ["type": ["array", "object"]]], required: ["outputs"]),
          ]
        ], example: ["predictions": [[.double(0.03), .double(0.06)]]])
    ])
}

extension Documentation.Tag {
  static let tensorFlowServing = Self("TensorFlow Serving")
}
