import UntrustedInput

extension JSONParser {
  /// A float64's exact decimal value has 767 digits at most.
  static let maximumNumberLength = 1024

  /// Reads a number; the cursor is at its sign or first digit. RFC 8259, section 6.
  mutating func number(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
    let start = cursor
    let isNegative = bytes[cursor] == UInt8(ascii: "-")
    if isNegative { cursor += 1 }
    var significand: UInt64 = 0
    let integerDigits = try digits(bytes, &significand)
    guard integerDigits == 1 || bytes[cursor - integerDigits] != UInt8(ascii: "0") else {
      throw .invalidNumber(offset: start)
    }
    var fractionDigits = 0
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: ".") {
      cursor += 1
      fractionDigits = try digits(bytes, &significand)
    }
    var exponent = 0
    var hasExponent = false
    if cursor < bytes.count, bytes[cursor] | 0x20 == UInt8(ascii: "e") {
      hasExponent = true
      exponent = try self.exponent(bytes)
    }
    guard cursor - start <= Self.maximumNumberLength else {
      throw .numberTooLong(limit: Self.maximumNumberLength, offset: start)
    }

    let isInteger = fractionDigits == 0 && !hasExponent
    // 19 digits fit in 64 bits.
    if integerDigits + fractionDigits <= 19 {
      if isInteger {
        if isNegative, significand == 0 { return .double(-0.0) }
        if !isNegative, let value = Int64(exactly: significand) {
          return .integer(Untrusted(value))
        }
        if isNegative, significand <= 1 << 63 {
          return .integer(Untrusted(Int64(truncatingIfNeeded: 0 &- significand)))
        }
      } else if significand <= 1 << 53, let scale = Self.power(exponent - fractionDigits) {
        // Both exact in a Double, so that one rounding is all: Clinger's fast path.
        let value = Double(significand)
        let magnitude = scale.divides ? value / scale.power : value * scale.power
        return .double(isNegative ? -magnitude : magnitude)
      }
    }
    let text = String(decoding: (start..<cursor).map { bytes[$0] }, as: UTF8.self)
    if !isInteger, let value = Double(text), value.isFinite { return .double(value) }
    return .largeNumber(text)
  }

  /// Reads one digit or more; the significand is right while there are 19 digits at most.
  private mutating func digits(
    _ bytes: Span<UInt8>, _ significand: inout UInt64
  ) throws(JSONError) -> Int {
    let start = cursor
    while cursor < bytes.count, case let digit = bytes[cursor] &- UInt8(ascii: "0"), digit < 10 {
      significand = significand &* 10 &+ UInt64(digit)
      cursor += 1
    }
    guard cursor > start else {
      throw cursor < bytes.count ? .invalidNumber(offset: cursor) : .unexpectedEnd(offset: cursor)
    }
    return cursor - start
  }

  private mutating func exponent(_ bytes: Span<UInt8>) throws(JSONError) -> Int {
    cursor += 1
    var isNegative = false
    if cursor < bytes.count,
      bytes[cursor] == UInt8(ascii: "+") || bytes[cursor] == UInt8(ascii: "-")
    {
      isNegative = bytes[cursor] == UInt8(ascii: "-")
      cursor += 1
    }
    var value: UInt64 = 0
    let count = try digits(bytes, &value)
    // Nine digits are more than the fast path takes, and cannot overflow.
    let magnitude = count <= 9 ? Int(value) : 1_000_000_000
    return isNegative ? -magnitude : magnitude
  }

  /// 10^|exponent|, where a `Double` holds it exactly.
  private static func power(_ exponent: Int) -> (power: Double, divides: Bool)? {
    guard -22...22 ~= exponent else { return nil }
    return (powers[abs(exponent)], exponent < 0)
  }

  private static let powers: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
    1e18, 1e19, 1e20, 1e21, 1e22,
  ]
}
