import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving

/// TensorFlow Serving's REST API; `/v1/models/{model}` itself is one with OpenAI's.
struct TensorFlowServingRoutes: Sendable {
  let models: ServedModels

  var group: RouteGroup {
    RouteGroup(
      ["", "/versions/{version}", "/labels/{label}"].flatMap { place -> [Route] in
        let path = "/v1/models/{model}" + place
        let status = Route(.get, path, .modelStatus, errors: .plain) { modelStatus($0) }
        return (place.isEmpty ? [] : [status]) + [
          Route(.get, path + "/metadata", .signatures, errors: .plain) { signatures($0) },
          Route(.post, path + ":predict", .predict, errors: .plain) { predict($0) },
        ]
      }, errors: .plain,
      missing: [
        ":classify":
          "it is for models of tf.Example; with a classification head ask :predict with the "
          + "signature_name probabilities, or /predict",
        ":regress":
          "it is for models of tf.Example; with a classification head ask :predict with the "
          + "signature_name logits",
      ]
    ) { $0.contains(":predict") }
  }
}

extension TensorFlowServingRoutes {
  /// The label of the one version there is.
  private static let label: RawText = "stable"

  /// The model, version and label that the path names.
  private func servable(_ exchange: Exchange) throws(ServiceError) -> ServedModel {
    let models = try models.all()
    let name = exchange.parameters["model"] ?? ""
    let version = exchange.parameters["version"]
    guard let model = try models.named(name, in: exchange),
      version ?? RawText(ServedModel.version) == RawText(ServedModel.version)
    else {
      let request = version.map { "Specific(\(name), \($0))" } ?? "Latest(\(name))"
      throw .notFound(
        "Servable not found for request: \(request); this server has "
          + models.map { "\($0.name) version \(ServedModel.version)" }.joined(separator: ", "))
    }
    if let label = exchange.parameters["label"], label != Self.label {
      throw .invalid("Unrecognized servable version label: \(label); there is \(Self.label)")
    }
    return model
  }

  /// The entries that a signature asks for: one, or with `all` every one and the mask.
  private static func keys(
    of signature: RawText, _ model: ServedModel
  ) throws(ServiceError) -> [OutputKey] {
    if signature == "all" { return model.info.usualKeys }
    let name = signature == PredictBody.defaultSignature ? "default" : signature
    guard let key = OutputKey(name), model.info.has(key) else {
      throw .invalid(
        "Serving signature name: \"\(signature)\" not found in signature def; there are "
          + signatures(of: model).list)
    }
    return [key]
  }

  private static func signatures(of model: ServedModel) -> [RawText] {
    (model.info.has(.default) ? [PredictBody.defaultSignature] : [])
      + model.info.keys.map { RawText($0.rawValue) } + ["all"]
  }

  /// `POST /v1/models/{model}:predict`.
  fileprivate func predict(_ exchange: Exchange) {
    exchange.readBody { bytes throws(ServiceError) in
      let model = try servable(exchange)
      let given = try exchange.givenParameters()
      if let timeout = try MapRequest.timeout(given) { exchange.setTimeout(timeout) }
      let body = try PredictBody(bytes, limits: exchange.bodyLimits, model: model, given: given)
      exchange.note { [ignored = body.ignored] in $0.ignored = ignored }
      let hasMask = body.signature == "all"
      var request = try MapRequest(
        given, keys: try Self.keys(of: body.signature, model), for: model)
      if request.selection.hasTokenRows { request.makeRectangular() }
      try exchange.encode(
        MapJob(request: request, inputs: body.inputs, coding: .json) {
          [isRows = body.isRows] answer in
          PredictAnswer(answer: answer, isRows: isRows, hasMask: hasMask).response()
        })
    }
  }

  /// `GET /v1/models/{model}/versions/{version}`.
  fileprivate func modelStatus(_ exchange: Exchange) {
    do throws(ServiceError) {
      _ = try servable(exchange)
      var writer = JSONWriter()
      writer.beginObject()
      writer.modelVersionStatus()
      writer.endObject()
      exchange.answer(.json(writer.bytes))
    } catch {
      exchange.fail(error)
    }
  }

  /// `GET /v1/models/{model}/metadata`.
  fileprivate func signatures(_ exchange: Exchange) {
    do throws(ServiceError) {
      let model = try servable(exchange)
      var signatures: [RawText: JSONValue] = [:]
      for name in Self.signatures(of: model) {
        signatures[name] = Self.signature(try Self.keys(of: name, model), name == "all", model)
      }
      var writer = JSONWriter()
      writer.value([
        "model_spec": [
          "name": .string(model.name), "signature_name": "",
          "version": .string(ServedModel.version),
        ],
        "metadata": [
          "signature_def": [
            "@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap",
            "signature_def": .object(signatures),
          ]
        ],
      ])
      exchange.answer(.json(writer.bytes))
    } catch {
      exchange.fail(error)
    }
  }

  private static func signature(
    _ keys: [OutputKey], _ hasMask: Bool, _ model: ServedModel
  ) -> JSONValue {
    var outputs: [RawText: JSONValue] = [:]
    for key in keys {
      let sizes = model.info.shape(
        of: key, blocks: model.info.blockCount, texts: nil, tokens: nil
      ).map { $0 ?? -1 }
      outputs[RawText(key.rawValue)] = tensor(key.rawValue, "DT_FLOAT", sizes)
    }
    if hasMask { outputs["attention_mask"] = tensor("attention_mask", "DT_INT64", [-1, -1]) }
    return [
      "inputs": ["text": tensor("text", "DT_STRING", [-1])], "outputs": .object(outputs),
      "method_name": "tensorflow/serving/predict",
    ]
  }

  /// Sizes are texts: protocol buffers write 64-bit integers so in JSON.
  private static func tensor(_ name: String, _ type: String, _ sizes: [Int]) -> JSONValue {
    [
      "dtype": .string(type), "name": .string(name + ":0"),
      "tensor_shape": [
        "dim": .array(sizes.map { ["name": "", "size": .string(String($0))] }),
        "unknown_rank": false,
      ],
    ]
  }
}
