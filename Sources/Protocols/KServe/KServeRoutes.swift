import EncoderContract
import Encoding
import HTTP
import HTTPTypes
import JSON
import Serving

/// KServe's v2 protocol (the Open Inference Protocol) with Triton's extensions.
struct KServeRoutes: Sendable {
  let models: ServedModels

  var group: RouteGroup {
    RouteGroup(
      ofServer + ofModel("/v2/models/{model}")
        + ofModel("/v2/models/{model}/versions/{version}"), errors: .plain
    ) { $0.hasPrefix("/v2") }
  }

  private var ofServer: [Route] {
    [
      get("/v2", .kserveServer) { serverMetadata($0) },
      get("/v2/health/live", .kserveHealth, access: .healthCheck) {
        $0.answer(Response(status: .ok))
      },
      get("/v2/health/ready", .kserveHealth, access: .healthCheck) { serverReady($0) },
      get("/v2/models/stats", .kserveStatistics) { statistics($0) },
      Route(.post, "/v2/repository/index", .kserveIndex, errors: .plain) { repositoryIndex($0) },
    ]
  }

  private func ofModel(_ path: String) -> [Route] {
    [
      get(path, .kserveModel) { modelMetadata($0) },
      get(path + "/ready", .kserveHealth) { modelReady($0) },
      get(path + "/config", .kserveConfiguration) { modelConfiguration($0) },
      get(path + "/stats", .kserveStatistics) { statistics($0) },
      Route(.post, path + "/infer", .infer, errors: .plain) { infer($0) },
    ]
  }

  private func get(
    _ path: String, _ documentation: Documentation, access: Route.Access = .key,
    _ answer: @escaping Route.Action
  ) -> Route {
    Route(.get, path, documentation, errors: .plain, access: access, answer)
  }
}

extension KServeRoutes {
  /// The model and version that the path names.
  func kserveModel(_ exchange: Exchange) throws(ServiceError) -> ServedModel {
    let models = try models.all()
    let name = exchange.parameters["model"] ?? ""
    let version = exchange.parameters["version"] ?? RawText(ServedModel.version)
    guard let model = try models.named(name, in: exchange),
      version == RawText(ServedModel.version)
    else {
      throw .notFound(
        "Request for unknown model: '\(name)' version \(version) is not found; this server has "
          + models.map { "\($0.name) version \(ServedModel.version)" }.joined(separator: ", "))
    }
    return model
  }

  /// An answer made of the model that the path names, or why there is none.
  private func answer(
    _ exchange: Exchange, _ write: (ServedModel, inout JSONWriter) -> Void
  ) {
    do throws(ServiceError) {
      var writer = JSONWriter()
      write(try kserveModel(exchange), &writer)
      exchange.answer(.json(writer.bytes))
    } catch {
      exchange.fail(error)
    }
  }

  /// `GET /v2`.
  fileprivate func serverMetadata(_ exchange: Exchange) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("name")
    writer.string("bert-server")
    writer.key("version")
    writer.string(exchange.service.process.version)
    writer.key("extensions")
    writer.beginArray()
    for name in ["binary_tensor_data", "model_configuration", "parameters", "statistics"] {
      writer.string(name)
    }
    writer.endArray()
    writer.endObject()
    exchange.answer(.json(writer.bytes))
  }

  /// `GET /v2/health/ready`: nothing to read but the status.
  fileprivate func serverReady(_ exchange: Exchange) {
    switch models.readiness(exchange.service.parsing) {
    case .ready: exchange.answer(Response(status: .ok))
    case .stalled: exchange.fail(.stalled)
    case .loading: exchange.fail(.loading)
    case .draining: exchange.fail(.draining)
    }
  }

  /// `GET /v2/models/{model}/ready`.
  fileprivate func modelReady(_ exchange: Exchange) {
    do throws(ServiceError) {
      _ = try kserveModel(exchange)
      serverReady(exchange)
    } catch {
      exchange.fail(error)
    }
  }

  /// `POST /v2/repository/index`.
  fileprivate func repositoryIndex(_ exchange: Exchange) {
    exchange.readBody { body throws(ServiceError) in
      // All models are ready, so what the body filters by makes no difference.
      if !body.isEmpty { _ = try BodyObject(body, limits: exchange.bodyLimits.json) }
      var writer = JSONWriter()
      writer.beginArray()
      for model in try models.all() {
        writer.beginObject()
        let members: KeyValuePairs<String, String> = [
          "name": model.name, "version": ServedModel.version, "state": "READY", "reason": "",
        ]
        for (name, value) in members {
          writer.key(name)
          writer.string(value)
        }
        writer.endObject()
      }
      writer.endArray()
      exchange.answer(.json(writer.bytes))
    }
  }

  // MARK: - Tensors

  private static let inputs: [(name: String, datatype: String, type: String, shape: [Int])] =
    NamedInputs.textNames.map { ($0.string, "BYTES", "TYPE_STRING", [-1]) }
    + NamedInputs.tokenNames.map { ($0.string, "INT32", "TYPE_INT32", [-1, -1]) }

  /// `GET /v2/models/{model}`.
  fileprivate func modelMetadata(_ exchange: Exchange) {
    answer(exchange) { model, writer in
      func tensor(_ name: String, _ datatype: String, _ shape: [Int]) {
        writer.beginObject()
        writer.key("name")
        writer.string(name)
        writer.key("datatype")
        writer.string(datatype)
        writer.key("shape")
        writer.integers(shape)
        writer.endObject()
      }
      writer.beginObject()
      writer.key("name")
      writer.string(model.name)
      writer.key("versions")
      writer.beginArray()
      writer.string(ServedModel.version)
      writer.endArray()
      writer.key("platform")
      writer.string("bert_server")
      writer.key("inputs")
      writer.beginArray()
      for input in Self.inputs { tensor(input.name, input.datatype, input.shape) }
      writer.endArray()
      writer.key("outputs")
      writer.beginArray()
      for output in InferOutputs.all(of: model.info) {
        tensor(output.name, output.content.datatype, output.content.shape(of: model.info))
      }
      writer.endArray()
      writer.endObject()
    }
  }

  /// `GET /v2/models/{model}/config`: Triton's model configuration.
  fileprivate func modelConfiguration(_ exchange: Exchange) {
    answer(exchange) { model, writer in
      func tensor(_ name: String, _ type: String, _ dimensions: [Int], isOptional: Bool) {
        writer.beginObject()
        writer.key("name")
        writer.string(name)
        writer.key("data_type")
        writer.string(type)
        writer.key("dims")
        writer.integers(dimensions)
        if isOptional {
          writer.key("optional")
          writer.boolean(true)
        }
        writer.endObject()
      }
      writer.beginObject()
      for (name, value) in [
        ("name", model.name), ("platform", "bert_server"), ("backend", "bert-server"),
      ] {
        writer.key(name)
        writer.string(value)
      }
      // The batch is the tensors' own first dimension.
      writer.key("max_batch_size")
      writer.integer(0)
      writer.key("input")
      writer.beginArray()
      for input in Self.inputs { tensor(input.name, input.type, input.shape, isOptional: true) }
      writer.endArray()
      writer.key("output")
      writer.beginArray()
      for output in InferOutputs.all(of: model.info) {
        tensor(
          output.name, "TYPE_" + output.content.datatype, output.content.shape(of: model.info),
          isOptional: false)
      }
      writer.endArray()
      writer.endObject()
    }
  }
}

extension InferOutputs {
  fileprivate static func all(
    of info: ModelInfo
  ) -> [(name: String, content: Tensor.Content)] {
    names(of: info).compactMap { name in
      Tensor.Content(RawText(name), of: info).map { (name, $0) }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func integers(_ values: [Int]) {
    beginArray()
    for value in values { integer(value) }
    endArray()
  }
}
