/// A whole number that came from outside (a socket, a header, a body, a file) and is not checked.
///
/// It has no arithmetic and no conversion, so that an unchecked operator on it does not compile:
/// `within` gives an `Int` that is in bounds, or nil.
@frozen
public struct Untrusted<Number: FixedWidthInteger & Sendable>: Hashable, Sendable {
  @usableFromInline let number: Number

  @inlinable
  public init(_ number: Number) { self.number = number }

  /// The number, if it is in the range.
  @inlinable
  public func within(_ range: ClosedRange<Int>) -> Int? {
    number >= range.lowerBound && number <= range.upperBound
      ? Int(truncatingIfNeeded: number) : nil
  }

  /// The number, if it is in the range.
  @inlinable
  public func within(_ range: Range<Int>) -> Int? {
    number >= range.lowerBound && number < range.upperBound
      ? Int(truncatingIfNeeded: number) : nil
  }
}

// MARK: - Readers

extension Untrusted {
  /// The number as `description` writes it, and also with a plus sign or leading zeros.
  ///
  /// - Returns: nil if the text is no whole number, or one that `Number` does not hold.
  public init?(_ text: some StringProtocol) {
    guard let number = Number(text, radix: 10) else { return nil }
    self.init(number)
  }

  /// Decimal digits and nothing else.
  ///
  /// - Returns: nil if there are none, or the number is one that `Number` does not hold.
  public init?(decimal digits: Span<UInt8>) {
    self.init(digits, radix: 10)
  }

  /// Hexadecimal digits of either case and nothing else.
  ///
  /// - Returns: nil if there are none, or the number is one that `Number` does not hold.
  public init?(hexadecimal digits: Span<UInt8>) {
    self.init(digits, radix: 16)
  }

  private init?(_ digits: Span<UInt8>, radix: Number) {
    guard !digits.isEmpty else { return nil }
    var number: Number = 0
    for index in digits.indices {
      let digit: Number
      switch digits[index] {
      case let byte where 0x30...0x39 ~= byte: digit = Number(byte - 0x30)
      case let byte where radix == 16 && 0x61...0x66 ~= byte | 0x20:
        digit = Number((byte | 0x20) - 0x57)
      default: return nil
      }
      let (shifted, overflow) = number.multipliedReportingOverflow(by: radix)
      let (sum, carry) = shifted.addingReportingOverflow(digit)
      if overflow || carry { return nil }
      number = sum
    }
    self.init(number)
  }

  /// A number's bytes, the lowest first; if `Number` is signed, the highest has the sign.
  ///
  /// - Parameter bytes: at most as many as `Number` has.
  @inlinable
  public init(littleEndian bytes: some BidirectionalCollection<UInt8>) {
    let isNegative = Number.isSigned && (bytes.last ?? 0) >= 0x80
    let start: Number = isNegative ? ~0 : 0
    self.init(bytes.reversed().reduce(start) { $0 << 8 | Number(truncatingIfNeeded: $1) })
  }
}

// MARK: - Conformances

extension Untrusted: ExpressibleByIntegerLiteral {
  @inlinable
  public init(integerLiteral number: Number.IntegerLiteralType) {
    self.init(Number(integerLiteral: number))
  }
}

extension Untrusted: CustomStringConvertible {
  public var description: String { "\(number)" }
}

extension Double {
  /// The nearest; no whole number is too large.
  public init(_ number: Untrusted<some FixedWidthInteger & Sendable>) {
    self.init(number.number)
  }
}
