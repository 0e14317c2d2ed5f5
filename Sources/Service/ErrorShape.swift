import HTTP
import HTTPTypes
import JSON

/// How a protocol says that something failed.
enum ErrorShape: Sendable, CaseIterable {
  /// `{"error","error_type"}`.
  case native
  /// The same, with text-embeddings-inference's statuses (its `router/src/http/server.rs`).
  case tei
  /// `{"error":{"message","type","param","code"}}`.
  case openAI
  /// `{"error"}`: KServe v2 and TensorFlow Serving, for whom what cannot be processed is a 400.
  case plain

  /// The shape where no route was found, or what came was no request: by the path's beginning.
  init(path: String) {
    switch path {
    case _ where path.hasPrefix("/v2"), _ where path.contains(":predict"): self = .plain
    case _ where ["/v1", "/openai", "/embeddings", "/models"].contains(where: path.hasPrefix):
      self = .openAI
    default: self = .native
    }
  }

  func response(_ error: ServiceError) -> Response {
    var response = response(
      status: status(of: error), type: error.type, message: error.message,
      parameter: error.parameter, code: Self.code(error), fields: error.fields)
    response.pause = error.pause
    return response
  }

  /// What to ask for instead of an answer that is too large.
  var smallerAnswer: String {
    switch self {
    case .native:
      "send fewer or shorter texts, or ask for fewer keys or layers, a binary format, or a stream "
        + "(application/x-ndjson)"
    case .plain: "send fewer or shorter texts, or ask for fewer outputs"
    case .tei, .openAI: "send fewer or shorter texts"
    }
  }

  private static let maxMessageScalars = 2000

  func status(of error: ServiceError) -> HTTPResponse.Status {
    switch (self, error) {
    case (.tei, .empty), (.plain, .empty), (.plain, .unprocessable): .badRequest
    case (.tei, .backend): HTTPResponse.Status(code: 424, reasonPhrase: "Failed Dependency")
    default: error.status
    }
  }

  func response(
    status: HTTPResponse.Status, type: String, message: String, parameter: String? = nil,
    code: String? = nil, fields: HTTPFields = [:]
  ) -> Response {
    // Whatever of the request a message repeats, the answer stays short.
    let message =
      message.unicodeScalars.count <= Self.maxMessageScalars
      ? message : String(message.unicodeScalars.prefix(Self.maxMessageScalars)) + "…"
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("error")
    switch self {
    case .native, .tei:
      writer.string(message)
      writer.key("error_type")
      writer.string(type)
    case .plain:
      writer.string(message)
    case .openAI:
      writer.beginObject()
      writer.key("message")
      writer.string(message)
      writer.key("type")
      writer.string(status.code < 500 ? "invalid_request_error" : "server_error")
      writer.key("param")
      if let parameter { writer.string(parameter) } else { writer.null() }
      writer.key("code")
      if let code { writer.string(code) } else { writer.null() }
      writer.endObject()
    }
    writer.endObject()
    return .json(writer.bytes, status: status, fields: fields)
  }

  /// OpenAI's word for it, which its clients' `code` tells.
  private static func code(_ error: ServiceError) -> String? {
    switch error {
    case .unauthorized: "invalid_api_key"
    case .unknownModel: "model_not_found"
    case .overloaded: "rate_limit_exceeded"
    default: nil
    }
  }
}
