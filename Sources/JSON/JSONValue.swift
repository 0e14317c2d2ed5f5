public import UntrustedInput

/// A JSON value, read.
public enum JSONValue: Sendable {
  case null
  case boolean(Bool)
  /// A number without fraction and exponent, within 64 bits.
  case integer(Untrusted<Int64>)
  /// Any other number within the range of `Double`, rounded to the nearest; `-0` too.
  case double(Double)
  /// A number as it was written: an integer beyond 64 bits, or one beyond the range of `Double`.
  case largeNumber(String)
  case string(String)
  case array([JSONValue])
  /// Of members with the same name the last one counts.
  case object([RawText: JSONValue])

  /// A member of an object; nil if missing, or if this is no object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members[RawText(key)]
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

  /// Short, for messages: a text is cut, and of an array and an object it is said that they are.
  public var shown: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .double(let value): "\(value)"
    case .largeNumber(let text): "\(RawText(text))"
    case .string(let value): "\"\(RawText(value))\""
    case .array(let items): "a list of \(items.count)"
    case .object: "an object"
    }
  }
}

extension JSONValue: Equatable {
  /// Strings are compared byte by byte: see `RawText`.
  public static func == (first: JSONValue, second: JSONValue) -> Bool {
    switch (first, second) {
    case (.null, .null): true
    case (.boolean(let first), .boolean(let second)): first == second
    case (.integer(let first), .integer(let second)): first == second
    case (.double(let first), .double(let second)): first == second
    case (.largeNumber(let first), .largeNumber(let second)),
      (.string(let first), .string(let second)):
      RawText(first) == RawText(second)
    case (.array(let first), .array(let second)): first == second
    case (.object(let first), .object(let second)): first == second
    default: false
    }
  }
}

/// Values written as Swift literals, for answers whose shape is fixed.
extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .integer(Untrusted(value)) }
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

  /// - Precondition: no name stands twice.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(
      Dictionary(uniqueKeysWithValues: elements.map { (RawText($0.0), $0.1) }))
  }
}
