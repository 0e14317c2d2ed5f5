/// A number of a `tokenizer.json` as `tokenizers` reads it: by serde_json's quick way, which is up
/// to an ulp off the nearest float64. Where two ways to cut a word have nearly one score, that ulp
/// tells which is taken.
///
/// Source: serde_json `de.rs`, without its feature `float_roundtrip`.
enum UnigramScore {
  /// - Parameter text: a JSON number.
  /// - Returns: nil for one beyond float64.
  static func value(_ text: some Sequence<UInt8>) -> Double? {
    var significand: UInt64 = 0
    /// Of ten, for the significand.
    var exponent = 0
    var stated = 0
    var (isNegative, isFraction, isExponent, isNegativeExponent) = (false, false, false, false)
    /// Digits after the first 19 or so are not looked at.
    var isFull = false
    for byte in text {
      switch byte {
      case UInt8(ascii: "-") where isExponent: isNegativeExponent = true
      case UInt8(ascii: "-"): isNegative = true
      case UInt8(ascii: "+"): break
      case UInt8(ascii: "."): (isFraction, isFull) = (true, false)
      case UInt8(ascii: "e"), UInt8(ascii: "E"): isExponent = true
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let digit = byte - UInt8(ascii: "0")
        if isExponent {
          stated = min(stated * 10 + Int(digit), 1 << 20)
          continue
        }
        let (tens, overflows) = significand.multipliedReportingOverflow(by: 10)
        let (next, carries) = tens.addingReportingOverflow(UInt64(digit))
        if isFull || overflows || carries {
          isFull = true
          if !isFraction { exponent += 1 }
        } else {
          significand = next
          if isFraction { exponent -= 1 }
        }
      default: return nil
      }
    }
    exponent += isNegativeExponent ? -stated : stated
    var value = Double(significand)
    while exponent < -308, value != 0 {
      value /= 1e308
      exponent += 308
    }
    guard value != 0 else { return isNegative ? -0.0 : 0 }
    guard exponent <= 308 else { return nil }
    value = exponent < 0 ? value / powers[-exponent] : value * powers[exponent]
    return value.isFinite ? (isNegative ? -value : value) : nil
  }

  /// 10^0 to 10^308, each the nearest float64.
  private static let powers = (0...308).map { Double("1e\($0)") ?? .infinity }
}
