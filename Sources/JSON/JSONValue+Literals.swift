import UntrustedInput

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
