/// float32 to decimal text: the fewest digits that read back as the same float32, and of those
/// the nearest to it.
///
/// Source: Raffaello Giulietti, "The Schubfach way to render doubles", for float32.
///
/// The form is ECMAScript's `Number.prototype.toString`, but whole numbers keep a `.0`, so that
/// no client takes them for integers: plain for 1e-6 ≤ |x| < 1e21 (`0.041235`, `-3.0`), scientific
/// outside (`1e-7`, `3.4028235e38`); zeros are `0.0` and `-0.0`.
public enum FloatWriter {
  /// Bytes that `write` may touch; the longest number is -100000000000000000000.0 and its like.
  public static let maximumLength = 24

  /// Writes a finite number.
  ///
  /// - Parameter place: `maximumLength` bytes to write to; those behind the number are scratch.
  /// - Returns: the number's length in bytes.
  /// - Precondition: `value.isFinite`, for JSON has neither NaN nor infinity.
  @unsafe @inline(__always)
  public static func write(_ value: Float, to place: UnsafeMutablePointer<UInt8>) -> Int {
    let magnitude = value.bitPattern & 0x7fff_ffff
    precondition(magnitude < 0x7f80_0000, "JSON has no NaN and no infinity")
    unsafe place[0] = UInt8(ascii: "-")
    let start = unsafe place + Int(value.bitPattern >> 31)
    if magnitude == 0 {
      unsafe store(0x30_2e30, at: start)  // "0.0"
      return unsafe start + 3 - place
    }
    let decimal = shortestDecimal(magnitude)
    let length = digitCount(decimal.digits)
    // Nine digits, the first apart from the eight that fit a word.
    let digits = decimal.digits &* powers[9 &- length]
    let first = UInt8(truncatingIfNeeded: digits / 100_000_000)
    let rest = eightDigits(digits % 100_000_000)
    let restCount = 8 &- rest.leadingZeroBitCount / 8
    let text = rest | 0x3030_3030_3030_3030
    let exponent = decimal.exponent &+ length &- 1
    let end = unsafe write(
      first | 0x30, text, restCount: restCount, exponent: exponent, to: start)
    return unsafe end - place
  }

  /// Lays out first.text · 10^exponent.
  ///
  /// - Parameters:
  ///   - text: eight ASCII digits, the first in the lowest byte.
  ///   - restCount: how many of them come before the trailing zeros.
  /// - Returns: the number's end.
  @inline(__always)
  private static func write(
    _ first: UInt8, _ text: UInt64, restCount: Int, exponent: Int,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var end = unsafe start
    switch exponent {
    case -6..<8:
      // Both sides of 1 in one path, for which it is cannot be predicted.
      let isSmall = exponent < 0
      let whole = isSmall ? 0 : exponent
      unsafe store(0x3030_3030_3030_2e30, at: end)  // "0.000000"
      let digits = unsafe end + (isSmall ? 1 &- exponent : 0)
      unsafe digits[0] = first
      unsafe store(text, at: digits + 1)
      let rest = unsafe digits + (isSmall ? 1 : 2 &+ whole)
      unsafe store(text &>> UInt64(8 &* whole), at: rest)
      unsafe (isSmall ? end + 1 : rest - 1)[0] = UInt8(ascii: ".")
      return unsafe rest + (isSmall ? restCount : max(1, restCount &- whole))
    case 8..<21:
      unsafe end[0] = first
      unsafe store(text, at: end + 1)
      unsafe end += 9
      for _ in 8..<exponent {
        unsafe end[0] = UInt8(ascii: "0")
        unsafe end += 1
      }
      unsafe end[0] = UInt8(ascii: ".")
      unsafe end[1] = UInt8(ascii: "0")
      return unsafe end + 2
    default:
      unsafe end[0] = first
      unsafe end[1] = UInt8(ascii: ".")
      unsafe store(text, at: end + 2)
      unsafe end += restCount == 0 ? 1 : 2 &+ restCount
      unsafe end[0] = UInt8(ascii: "e")
      unsafe end[1] = UInt8(ascii: "-")
      unsafe end += exponent < 0 ? 2 : 1
      let (tens, ones) = abs(exponent).quotientAndRemainder(dividingBy: 10)
      unsafe end[0] = UInt8(truncatingIfNeeded: tens) | 0x30
      unsafe end += tens == 0 ? 0 : 1
      unsafe end[0] = UInt8(truncatingIfNeeded: ones) | 0x30
      return unsafe end + 1
    }
  }

  /// Writes eight bytes, the lowest first.
  @inline(__always)
  private static func store(_ bytes: UInt64, at place: UnsafeMutablePointer<UInt8>) {
    unsafe UnsafeMutableRawPointer(place).storeBytes(of: bytes.littleEndian, as: UInt64.self)
  }

  /// The shortest decimal in the interval that rounds to the number, nearest to it if there are
  /// several; digits may end in zeros.
  ///
  /// - Parameter bits: of a positive finite float32.
  @inline(__always)
  static func shortestDecimal(_ bits: UInt32) -> (digits: UInt32, exponent: Int) {
    // The number is c · 2^q.
    let fraction = bits & 0x7f_ffff
    let biased = Int32(bits >> 23)
    let c = biased == 0 ? fraction : fraction | 0x80_0000
    let q = max(biased, 1) &- 150
    // At a power of two the next lower number is only half as far.
    let isLowerCloser: UInt32 = fraction == 0 && biased > 1 ? 1 : 0
    let k = (q &* 1_262_611 &- (isLowerCloser == 1 ? 524_031 : 0)) >> 22
    let h = UInt32(truncatingIfNeeded: q &+ PowersOfTen.binaryExponent(-k) &+ 1)
    let power = PowersOfTen.significands[Int(-k) - PowersOfTen.minimumExponent]

    // The number and the ends of its interval, in units of 10^k / 4. Ties go to even numbers, so
    // those own the ends.
    let odd = c & 1
    let lower = roundedToOdd(power, (4 &* c &- 2 &+ isLowerCloser) &<< h) &+ odd
    let value = roundedToOdd(power, (4 &* c) &<< h)
    let upper = roundedToOdd(power, (4 &* c &+ 2) &<< h) &- odd

    // One digit less, if just one of the two candidates lies in the interval; else the number
    // rounded down or up. Which it is cannot be predicted: hence masks, not branches.
    let s = value / 4
    let tenth = s / 10
    let tenthFits = bit(lower <= 40 &* tenth)
    let tenthAboveFits = bit(40 &* tenth &+ 40 <= upper)
    let isShorter = (tenthFits ^ tenthAboveFits) & bit(s >= 10)
    let floorFits = bit(lower <= 4 &* s)
    let ceilingFits = bit(4 &* s &+ 4 <= upper)
    let isNearerUp = bit(value &+ (s & 1) > 4 &* s &+ 2)
    let onlyOneFits = floorFits ^ ceilingFits
    let long = s &+ (onlyOneFits & ceilingFits | (onlyOneFits ^ 1) & isNearerUp)
    let short = tenth &+ tenthAboveFits
    return (long ^ (long ^ short) & (0 &- isShorter), Int(k) &+ Int(isShorter))
  }

  @inline(__always)
  private static func bit(_ condition: Bool) -> UInt32 { condition ? 1 : 0 }

  /// power · c / 2^64, the lowest bit set if anything was cut off.
  @inline(__always)
  private static func roundedToOdd(_ power: UInt64, _ c: UInt32) -> UInt32 {
    let product = power.multipliedFullWidth(by: UInt64(c))
    return UInt32(truncatingIfNeeded: product.high) | (product.low >> 32 > 1 ? 1 : 0)
  }

  private static let powers: [UInt32] = [
    1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
  ]

  /// Decimal digits of a number from 1 to 10^9 - 1.
  @inline(__always)
  private static func digitCount(_ number: UInt32) -> Int {
    // 1233 / 4096 is log10 2, a little rounded up.
    let guess = ((32 &- number.leadingZeroBitCount) &* 1233) >> 12
    return guess &+ (number >= powers[guess] ? 1 : 0)
  }

  /// The digits of a number below 10^8, one in each byte, the first in the lowest.
  @inline(__always)
  private static func eightDigits(_ number: UInt32) -> UInt64 {
    let fours = UInt64(number / 10_000) | UInt64(number % 10_000) << 32
    // 10486 / 2^20 is 1/100 and 103 / 2^10 is 1/10, right for numbers this small.
    let hundreds = (fours &* 10_486) >> 20 & 0x7f_0000_007f
    let twos = hundreds | (fours &- 100 &* hundreds) << 16
    let tens = (twos &* 103) >> 10 & 0x000f_000f_000f_000f
    return tens | (twos &- 10 &* tens) << 8
  }
}
