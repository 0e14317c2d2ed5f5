import EncoderContract
import HTTP
import JSON

@testable import Encoding
@testable import Protocols
@testable import Serving

/// Bodies of the protocols: texts and parameters come out, or an error.

private let limits = BodyLimits(json: JSONParser.Limits(), texts: 1000)

private let model: ServedModel = {
  guard let model = try? TestModel.make() else { fatalError("no model") }
  return model
}()

/// The first byte chooses the content type.
func fuzzEncodeBody(_ bytes: [UInt8]) {
  let types: [ContentType] = [.unstated, .text, .json, .ndjson]
  guard let first = bytes.first else { return }
  _ = try? EncodeBody(
    Array(bytes.dropFirst()), types[Int(first) % types.count], limits: limits)
}

/// The first two bytes are the length of the JSON before the tensors; 65535 is none.
func fuzzInferBody(_ bytes: [UInt8]) {
  guard bytes.count >= 2 else { return }
  let length = Int(bytes[0]) << 8 | Int(bytes[1])
  let body = Array(bytes.dropFirst(2))
  guard
    let request = try? InferRequest(
      body, headerLength: length == 65535 ? nil : length, limits: limits, model: model.name)
  else { return }
  _ = try? InferOutputs(
    request.outputs, layers: [], isBinary: request.isBinary, of: model)
  guard let inputs = try? request.inputs(of: model, [:]) else { return }
  _ = try? MapRequest(model, keys: [.default]).tokenize(inputs)
}

func fuzzPredictBody(_ bytes: [UInt8]) {
  guard let body = try? PredictBody(bytes, limits: limits, model: model, given: [:]) else { return }
  _ = try? MapRequest(model, keys: [.default]).tokenize(body.inputs)
}

func fuzzEmbeddingsBody(_ bytes: [UInt8]) {
  _ = try? EmbeddingsBody(bytes, limits: limits)
}

func fuzzRerankBody(_ bytes: [UInt8]) {
  guard let body = try? BodyObject(bytes, limits: limits.json) else { return }
  _ = try? CohereRerank(body, limits)
}
