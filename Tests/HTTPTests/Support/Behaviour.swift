import Testing

/// Bytes to send, and what must come back.
struct Behaviour: Sendable, CustomTestStringConvertible {
  let section: String
  let name: String
  let bytes: [UInt8]
  /// Status codes in order, interim ones included.
  let statuses: [Int]
  /// Whether the connection is closed after the last answer.
  let closes: Bool
  /// The last answer's body, where it matters.
  let body: String?

  var testDescription: String { name }

  init(
    _ section: String, _ name: String, _ bytes: [UInt8], _ statuses: [Int], closes: Bool,
    body: String? = nil
  ) {
    self.section = section
    self.name = name
    self.bytes = bytes
    self.statuses = statuses
    self.closes = closes
    self.body = body
  }

  /// Served, and the connection goes on.
  static func served(
    _ section: String, _ name: String, _ text: String, _ status: Int = 200, body: String? = nil
  ) -> Behaviour {
    Behaviour(section, name, Array(text.utf8), [status], closes: false, body: body)
  }

  /// Answered, then closed.
  static func closed(
    _ section: String, _ name: String, _ text: String, _ status: Int = 400
  ) -> Behaviour {
    Behaviour(section, name, Array(text.utf8), [status], closes: true)
  }
}
