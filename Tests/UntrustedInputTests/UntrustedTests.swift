import Testing
import UntrustedInput

@Suite struct UntrustedTests {
  /// Around every limit of an integer, and the powers of two below.
  static let numbers: [Int128] = (0...65).flatMap { bits in
    let power: Int128 = 1 << Int128(bits)
    return [power - 1, power, power + 1, -power - 1, -power, -power + 1]
  }

  @Test func onlyWhatIsInBoundsComesOut() {
    let ranges = [0...0, 0...9, -3...3, Int.min...Int.max, 1 << 31...1 << 32, Int.max...Int.max]
    for number in Self.numbers {
      for range in ranges {
        let isInside = number >= range.lowerBound && number <= range.upperBound
        let expected = isInside ? Int(number) : nil
        if let signed = Int64(exactly: number) {
          #expect(Untrusted(signed).within(range) == expected)
        }
        if let unsigned = UInt64(exactly: number) {
          #expect(Untrusted(unsigned).within(range) == expected)
        }
        if range.upperBound < .max, let signed = Int64(exactly: number) {
          let open = range.lowerBound..<range.upperBound + 1
          #expect(Untrusted(signed).within(open) == expected)
        }
      }
    }
  }

  @Test func digitsAreReadAsTheyAre() {
    for number in Self.numbers where number >= 0 {
      let expected = UInt64(exactly: number).map { Untrusted($0) }
      for zeros in ["", "0", "000"] {
        let decimal = Array("\(zeros)\(number)".utf8)
        let upper = Array((zeros + String(number, radix: 16, uppercase: true)).utf8)
        let lower = Array((zeros + String(number, radix: 16)).utf8)
        #expect(Untrusted<UInt64>(decimal: decimal.span) == expected)
        #expect(Untrusted<UInt64>(hexadecimal: upper.span) == expected)
        #expect(Untrusted<UInt64>(hexadecimal: lower.span) == expected)
      }
    }
  }

  @Test(arguments: [
    "", " ", "-1", "+1", "1 ", " 1", "1_0", "0x1", "1.0", "１", "g", ":", "/", "@", "`",
  ])
  func digitsAndNothingElse(text: String) {
    let bytes = Array(text.utf8)
    #expect(Untrusted<UInt64>(decimal: bytes.span) == nil)
    #expect(Untrusted<UInt64>(hexadecimal: bytes.span) == nil)
  }

  @Test func textsAreReadBack() {
    for number in Self.numbers {
      #expect(Untrusted<Int>("\(number)")?.description == Int(exactly: number)?.description)
    }
    #expect(Untrusted<Int>("1e3") == nil)
    #expect(Untrusted<Int>("") == nil)
  }

  @Test func bytesOfEitherSign() {
    for number in [0, 1, 0x7F, 0x80, 0xFFFF_FFFF, Int64.max, .min, -1, -2, -(1 << 31)] {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
      #expect(Untrusted<Int64>(littleEndian: bytes) == Untrusted(number))
      let half = Untrusted<Int64>(littleEndian: bytes[..<4])
      #expect(half == Untrusted(Int64(Int32(truncatingIfNeeded: number))))
      #expect(
        Untrusted<UInt32>(littleEndian: bytes[..<4])
          == Untrusted(UInt32(truncatingIfNeeded: number)))
    }
  }
}
