import HTTPTypes
import JSON
import Serving

extension ErrorShape {
  /// `{"error":{"message","type","param","code"}}`.
  static let openAI = ErrorShape(
    "OpenAIError",
    schema: .fields(
      [
        "error": .fields(
          [
            "message": .text, "type": .text, "param": .orNull("string"), "code": .orNull("string"),
          ], required: ["message", "type", "param", "code"])
      ], required: ["error"]),
    smallerAnswer: "send fewer or shorter texts",
    write: { failure, writer in
      writer.beginObject()
      writer.key("message")
      writer.string(failure.message)
      writer.key("type")
      writer.string(failure.status.code < 500 ? "invalid_request_error" : "server_error")
      writer.key("param")
      if let parameter = failure.error?.parameter {
        writer.string(parameter)
      } else {
        writer.null()
      }
      writer.key("code")
      if let code = failure.error.flatMap(code) { writer.string(code) } else { writer.null() }
      writer.endObject()
    })

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
