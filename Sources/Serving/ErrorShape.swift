package import HTTP
package import HTTPTypes
package import JSON

/// How a protocol says that something failed.
package struct ErrorShape: Sendable {
  /// A failure as it is written.
  package struct Failure: Sendable {
    package var status: HTTPResponse.Status
    /// `error_type` of the native shape.
    package var type: String
    package var message: String
    /// What failed; nil for what never became a request.
    package var error: ServiceError?
  }

  /// Of its schema, in the API's description.
  let name: String
  let schema: JSONValue
  /// What to ask for instead of an answer that is too large.
  let smallerAnswer: String
  /// The protocol's own status for a failure, where it has one.
  private let ownStatus: @Sendable (ServiceError) -> HTTPResponse.Status?
  /// Writes the value of the answer's member `error`, and the members behind it.
  private let write: @Sendable (Failure, inout JSONWriter) -> Void

  package init(
    _ name: String, schema: JSONValue, smallerAnswer: String,
    status: @escaping @Sendable (ServiceError) -> HTTPResponse.Status? = { _ in nil },
    write: @escaping @Sendable (Failure, inout JSONWriter) -> Void
  ) {
    self.name = name
    self.schema = schema
    self.smallerAnswer = smallerAnswer
    ownStatus = status
    self.write = write
  }

  private static let maxMessageScalars = 2000

  func status(of error: ServiceError) -> HTTPResponse.Status {
    ownStatus(error) ?? error.status
  }

  package func response(_ error: ServiceError) -> Response {
    var response = response(
      Failure(status: status(of: error), type: error.type, message: error.message, error: error))
    response.pause = error.pause
    return response
  }

  func response(_ failure: Failure) -> Response {
    var failure = failure
    // Whatever of the request a message repeats, the answer stays short.
    if failure.message.unicodeScalars.count > Self.maxMessageScalars {
      failure.message =
        String(failure.message.unicodeScalars.prefix(Self.maxMessageScalars)) + "…"
    }
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("error")
    write(failure, &writer)
    writer.endObject()
    return .json(writer.bytes, status: failure.status, fields: failure.error?.fields ?? [:])
  }
}

extension ErrorShape {
  /// `{"error","error_type"}`.
  package static let native = native(
    "Error",
    smallerAnswer:
      "send fewer or shorter texts, or ask for fewer keys or layers, a binary format, or a stream "
      + "(application/x-ndjson)")

  /// The same with other statuses.
  package static func native(
    _ name: String, smallerAnswer: String,
    status: @escaping @Sendable (ServiceError) -> HTTPResponse.Status? = { _ in nil }
  ) -> ErrorShape {
    ErrorShape(
      name,
      schema: .fields(
        ["error": .text, "error_type": .text], required: ["error", "error_type"]),
      smallerAnswer: smallerAnswer, status: status
    ) { failure, writer in
      writer.string(failure.message)
      writer.key("error_type")
      writer.string(failure.type)
    }
  }
}
