/// A JSON value, read.
public enum JSONValue: Equatable, Sendable {
  case null
  case boolean(Bool)
  /// A number without fraction and exponent, within 64 bits.
  case integer(Int64)
  /// Any other number within the range of `Double`, rounded to the nearest; `-0` too.
  case double(Double)
  /// A number as it was written: an integer beyond 64 bits, or one beyond the range of `Double`.
  case largeNumber(String)
  case string(String)
  case array([JSONValue])
  /// Of members with the same name the last one counts. Names are compared as `String`s are, by
  /// canonical equivalence.
  case object([String: JSONValue])

  /// A member of an object; nil if missing, or if this is no object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members[key]
  }

  /// What it is, for messages: "a string".
  public var kind: String {
    switch self {
    case .null: "null"
    case .boolean: "a boolean"
    case .integer, .double, .largeNumber: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
