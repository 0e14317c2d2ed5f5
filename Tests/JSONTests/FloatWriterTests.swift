import TestSupport
import Testing

@testable import JSON

struct FloatWriterTests {
  private func text(_ value: Float) -> String {
    var bytes = [UInt8](repeating: 0xaa, count: FloatWriter.maximumLength + 16)
    let length = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      unsafe FloatWriter.write(value, to: buffer.baseAddress!)
    }
    if !bytes[FloatWriter.maximumLength...].allSatisfy({ $0 == 0xaa }) {
      Issue.record("\(value) is written beyond its room")
    }
    return String(decoding: bytes[..<length], as: UTF8.self)
  }

  /// The significant digits and the power of ten of the first of them.
  private func decimal(_ text: String) -> (digits: [UInt8], exponent: Int) {
    var digits: [UInt8] = []
    var point: Int?
    var exponent = 0
    for (index, byte) in text.utf8.enumerated() {
      if byte == UInt8(ascii: "e") {
        exponent = Int(text.utf8.dropFirst(index + 1).map { String(Unicode.Scalar($0)) }.joined())!
        break
      }
      if byte == UInt8(ascii: ".") { point = digits.count }
      if 0x30...0x39 ~= byte { digits.append(byte - 0x30) }
    }
    let zeros = digits.prefix { $0 == 0 }.count
    exponent += (point ?? digits.count) - zeros - 1
    digits.removeFirst(zeros)
    while digits.last == 0 { digits.removeLast() }
    return (digits, exponent)
  }

  private func check(_ value: Float, _ comment: @autoclosure () -> String = "") {
    let text = text(value)
    let back = Float(text)
    let expected = decimal(value.description)
    let actual = decimal(text)
    guard back?.bitPattern == value.bitPattern, actual == expected else {
      Issue.record("\(text) for \(value) \(comment())")
      return
    }
  }

  @Test(
    arguments: [
      (0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (-1, "-1.0"), (0.1, "0.1"), (0.041235, "0.041235"),
      (-0.5, "-0.5"), (3, "3.0"), (10, "10.0"), (123.456, "123.456"), (16_777_216, "16777216.0"),
      (1e-6, "0.000001"), (1.5e-6, "0.0000015"), (9.999999e-7, "9.999999e-7"), (1e-7, "1e-7"),
      (12_345_678, "12345678.0"), (1e8, "100000000.0"), (123_456_792, "123456790.0"),
      (1e20, "100000000000000000000.0"), (-9.999999e20, "-999999900000000000000.0"), (1e21, "1e21"),
      (1.25e-10, "1.25e-10"), (3.4028235e38, "3.4028235e38"), (.leastNonzeroMagnitude, "1e-45"),
      (1.1754944e-38, "1.1754944e-38"), (9.8765434, "9.876543"), (8_388_607.5, "8388607.5"),
    ] as [(Float, String)])
  func formIsThatOfECMAScript(_ value: Float, _ expected: String) {
    #expect(text(value) == expected)
  }

  @Test func boundariesAreShortest() {
    for exponent in 0..<UInt32(255) {
      for fraction: UInt32 in [0, 1, 2, 3, 0x3f_ffff, 0x40_0000, 0x7f_fffe, 0x7f_ffff] {
        let value = Float(bitPattern: exponent << 23 | fraction)
        check(value)
        check(-value)
      }
    }
    var power = 1e-45
    while power < 1e39 {
      let value = Float(power)
      for neighbour in [value, value.nextUp, value.nextDown, value / 2, value * 3]
      where neighbour.isFinite {
        check(neighbour)
      }
      power *= 10
    }
    for integer in 0..<20_000 {
      check(Float(integer))
      check(Float(integer) / 1000)
      check(Float(bitPattern: UInt32(integer)))
    }
  }

  @Test func randomNumbersAreShortest() {
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200_000 {
      let value = Float(bitPattern: UInt32.random(in: 0...(.max), using: &generator))
      if value.isFinite { check(value, "seed \(seed)") }
      // As embeddings are.
      check(Float.random(in: -1...1, using: &generator), "seed \(seed)")
    }
  }

  /// ⌊10^k · 2^-r⌋ + 1 by long arithmetic in base 2^32, lowest limb first.
  @Test func powersAreRight() {
    func times(_ limbs: [UInt64], _ factor: UInt64) -> [UInt64] {
      var carry: UInt64 = 0
      let product = limbs.map { limb in
        let sum = limb * factor + carry
        carry = sum >> 32
        return sum & 0xffff_ffff
      }
      return product + [carry]
    }
    func bitWidth(_ limbs: [UInt64]) -> Int {
      let top = limbs.lastIndex { $0 != 0 }!
      return top * 32 + 64 - limbs[top].leadingZeroBitCount
    }
    /// Bits `low` to `low + 63`.
    func word(_ limbs: [UInt64], from low: Int) -> UInt64 {
      (0..<64).reduce(0) { word, bit in
        let position = low + bit
        guard position >= 0, position / 32 < limbs.count else { return word }
        return word | (limbs[position / 32] >> UInt64(position % 32) & 1) << UInt64(bit)
      }
    }
    #expect(PowersOfTen.significands.count == 77)
    for (index, significand) in PowersOfTen.significands.enumerated() {
      let k = index + PowersOfTen.minimumExponent
      var limbs: [UInt64] = [1]
      for _ in 0..<abs(k) { limbs = times(limbs, 10) }
      if k >= 0 {
        let width = bitWidth(limbs)
        #expect(PowersOfTen.binaryExponent(Int32(k)) == width - 1)
        #expect(significand == word(limbs, from: width - 64) + 1)
      } else {
        // 2^256 / 10^-k, one bit of the quotient at a time: the remainder stays below 10^31.
        let divisor = limbs
        var remainder: [UInt64] = [0]
        var quotient = [UInt64](repeating: 0, count: 9)
        func isLess(_ a: [UInt64], _ b: [UInt64]) -> Bool {
          for index in stride(from: max(a.count, b.count) - 1, through: 0, by: -1) {
            let (x, y) = (index < a.count ? a[index] : 0, index < b.count ? b[index] : 0)
            if x != y { return x < y }
          }
          return false
        }
        for bit in stride(from: 256, through: 0, by: -1) {
          remainder = times(remainder, 2)
          if bit == 256 { remainder[0] |= 1 }
          while remainder.count > 1, remainder.last == 0 { remainder.removeLast() }
          guard !isLess(remainder, divisor) else { continue }
          quotient[bit / 32] |= 1 << UInt64(bit % 32)
          var borrow: UInt64 = 0
          for index in remainder.indices {
            let subtrahend = (index < divisor.count ? divisor[index] : 0) + borrow
            borrow = remainder[index] < subtrahend ? 1 : 0
            remainder[index] = (remainder[index] + borrow << 32) - subtrahend
          }
        }
        let width = bitWidth(quotient)
        #expect(PowersOfTen.binaryExponent(Int32(k)) == width - 1 - 256)
        #expect(significand == word(quotient, from: width - 64) + 1)
      }
    }
  }

  @Test func infinityAndNaNAreRefused() async {
    await #expect(processExitsWith: .failure) {
      var writer = JSONWriter()
      writer.floats([1, -Float.infinity].span)
    }
    await #expect(processExitsWith: .failure) {
      var writer = JSONWriter()
      writer.floats([Float.nan].span)
    }
  }
}
