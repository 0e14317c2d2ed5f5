import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving
import TensorFormats
import UntrustedInput

extension KServeRoutes {
  /// `POST /v2/models/{model}[/versions/{version}]/infer`.
  func infer(_ exchange: Exchange) {
    exchange.readBody { bytes throws(ServiceError) in
      let model = try kserveModel(exchange)
      let body = try InferRequest(
        bytes, headerLength: Self.headerLength(exchange, of: bytes.count),
        limits: exchange.bodyLimits,
        model: model.name)
      let given = try body.given()
      var request = try MapRequest(given, keys: [.encoderOutputs], for: model)
      request.timeout = try body.timeout() ?? request.timeout
      let outputs = try InferOutputs(
        body.outputs, layers: request.layers, isBinary: body.isBinary, of: model)
      outputs.complete(&request)
      let isBinary = outputs.tensors.allSatisfy(\.isBinary)
      var job = MapJob(
        request: request, inputs: try body.inputs(of: model, given),
        coding: isBinary ? .raw(.float32) : .flat, echoedBytes: 2 * bytes.count
      ) { [id = body.id, parameters = body.parameters] answer in
        InferAnswer(answer: answer, outputs: outputs, id: id, parameters: parameters).response()
      }
      // The JSON's length stands before it.
      job.isWhole = !isBinary && outputs.tensors.contains(where: \.isBinary)
      try exchange.encode(job)
    }
  }

  /// Bytes of the JSON at the beginning of a body of `size` bytes; nil if all of it is.
  private static func headerLength(
    _ exchange: Exchange, of size: Int
  ) throws(ServiceError) -> Int? {
    guard let field = exchange.request.head.headerFields[.inferenceHeaderLength] else { return nil }
    guard let length = RawText(field).integer?.within(0...size) else {
      throw .invalid(
        "Inference-Header-Content-Length must be a number of bytes from 0 to the body's \(size); "
          + "it was '\(RawText(field))'")
    }
    if length == 0, ContentType(field: exchange.request.head.headerFields[.contentType]) == .json {
      throw .invalid("Inference-Header-Content-Length is 0, so there is no JSON: say another type")
    }
    return length
  }
}

extension InferRequest {
  /// The request's parameters that say how texts become tokens; others are the client's own.
  fileprivate func given() throws(ServiceError) -> GivenParameters {
    var given: GivenParameters = [:]
    for name in MapRequest.tokenNames + ["layers"] {
      switch parameters[name] {
      case nil, .null: break
      case .string(let text): given[name] = [RawText(text)]
      case .integer(let number): given[name] = [RawText(number.description)]
      default: throw .invalid("parameter '\(name)' is a text or a whole number")
      }
    }
    return given
  }

  /// The protocol's own, microseconds; 0 is none.
  fileprivate func timeout() throws(ServiceError) -> Duration? {
    switch parameters["timeout"] {
    case nil, .null: return nil
    case .integer(let claimed):
      guard let microseconds = claimed.within(0...86_400_000_000) else { break }
      return microseconds == 0 ? nil : .microseconds(microseconds)
    default: break
    }
    throw .invalid("parameter 'timeout' must be microseconds from 0 to 86400000000 (a day)")
  }
}
