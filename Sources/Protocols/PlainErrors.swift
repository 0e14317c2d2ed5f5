import HTTPTypes
import JSON
import Serving

extension ErrorShape {
  /// `{"error"}`: KServe v2 and TensorFlow Serving, for whom what cannot be processed is a 400.
  static let plain = ErrorShape(
    "PlainError", schema: .fields(["error": .text], required: ["error"]),
    smallerAnswer: "send fewer or shorter texts, or ask for fewer outputs",
    status: { error in
      switch error {
      case .empty, .unprocessable: .badRequest
      default: nil
      }
    },
    write: { failure, writer in writer.string(failure.message) })
}
