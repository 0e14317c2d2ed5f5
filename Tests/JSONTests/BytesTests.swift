import FoundationEssentials
import TensorFormats
import TestSupport
import Testing

@testable import JSON

struct Base64Tests {
  private func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    Base64.encode(bytes.span, to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// RFC 4648, section 10.
  @Test func standardsExamples() throws {
    let examples = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ]
    for (plain, text) in examples {
      #expect(encode(Array(plain.utf8)) == text)
      #expect(try Base64.decode(Array(text.utf8).span) == Array(plain.utf8))
    }
  }

  @Test func agreesWithFoundation() throws {
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    for length in 0..<400 {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let text = encode(bytes)
      #expect(text == Data(bytes).base64EncodedString(), "seed \(seed)")
      #expect(try Base64.decode(Array(text.utf8).span) == bytes, "seed \(seed)")
    }
  }

  @Test(arguments: [
    ("Z", 1), ("Zg", 2), ("Zg=", 3), ("Zg==Zg==", 2), ("Zh==", 1), ("Zm9=", 2), ("====", 0),
    ("Z===", 1), ("=Zg=", 0), ("Zm9v\n", 5), ("Zm9v Zm9", 4), ("Zm-_", 2), ("Zm9\u{e9}", 5),
    ("Zg=v", 2),
  ])
  func refusesWhatIsNotExact(_ text: String, _ offset: Int) {
    #expect(throws: JSONError.invalidBase64(offset: offset)) {
      try Base64.decode(Array(text.utf8).span)
    }
  }

  @Test func refusesEveryOtherCharacter() {
    let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    for byte in UInt8.min...UInt8.max where !alphabet.contains(byte) {
      let text: [UInt8] = [0x41, byte, 0x41, 0x41]
      #expect(throws: JSONError.invalidBase64(offset: 1)) { try Base64.decode(text.span) }
    }
  }
}

struct ElementFormatTests {
  private func bits(_ value: Float, _ format: ElementFormat) -> UInt16 {
    var bytes: [UInt8] = []
    format.append([value].span, to: &bytes)
    return UInt16(bytes[0]) | UInt16(bytes[1]) << 8
  }

  @Test func bytesAreLittleEndianAndAppended() {
    let values: [Float] = [1, -2, 0.5]
    var bytes: [UInt8] = [9]
    ElementFormat.float32.append(values.span, to: &bytes)
    #expect(bytes == [9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f])
    bytes = [9]
    ElementFormat.float16.append(values.span, to: &bytes)
    #expect(bytes == [9, 0, 0x3c, 0, 0xc0, 0, 0x38])
    bytes = [9]
    ElementFormat.bfloat16.append(values.span, to: &bytes)
    #expect(bytes == [9, 0x80, 0x3f, 0, 0xc0, 0, 0x3f])
    bytes = []
    for format in ElementFormat.allCases { format.append([Float]().span, to: &bytes) }
    #expect(bytes.isEmpty)
    #expect(ElementFormat(rawValue: "float16")?.size == 2)
  }

  /// Every float16, the points halfway between, and what lies next to those.
  @Test func float16RoundsToNearestEven() {
    /// By the definition of the format.
    func value(_ bits: UInt16) -> Float {
      let fraction = Float(bits & 0x3ff)
      let exponent = Int(bits >> 10)
      return exponent == 0
        ? fraction * 0x1p-24
        : (1024 + fraction) * Float(sign: .plus, exponent: exponent - 25, significand: 1)
    }
    for bits in UInt16(0)..<0x7c00 {
      let exact = value(bits)
      // 0x7c00 stands for 2^16 here, which the largest numbers round towards.
      let middle = (exact + value(bits + 1)) / 2
      let even = bits + bits & 1
      for (input, expected) in [
        (exact, bits), (middle, even), (middle.nextDown, bits), (middle.nextUp, bits + 1),
      ] {
        #expect(self.bits(input, .float16) == expected)
        #expect(self.bits(-input, .float16) == expected | 0x8000)
      }
    }
    for large: Float in [65_520, 65_536, 1e30, .infinity] {
      #expect(bits(large, .float16) == 0x7c00)
      #expect(bits(-large, .float16) == 0xfc00)
    }
    #expect(bits(65_519.996, .float16) == 0x7bff)
    #expect(bits(.leastNonzeroMagnitude, .float16) == 0)
    #expect(bits(.nan, .float16) == 0x7e00)
    #expect(bits(Float(bitPattern: 0x7f80_0001), .float16) & 0x7e00 == 0x7e00)
  }

  @Test func bfloat16RoundsToNearestEven() {
    for bits in UInt16(0)..<0x7f80 {
      let exact = UInt32(bits) << 16
      let even = bits + bits & 1
      for (input, expected) in [
        (exact, bits), (exact + 0x8000, even), (exact + 0x7fff, bits), (exact + 0x8001, bits + 1),
      ] {
        #expect(self.bits(Float(bitPattern: input), .bfloat16) == expected)
        #expect(self.bits(-Float(bitPattern: input), .bfloat16) == expected | 0x8000)
      }
    }
    #expect(bits(.infinity, .bfloat16) == 0x7f80)
    #expect(bits(.greatestFiniteMagnitude, .bfloat16) == 0x7f80)
    for nan: UInt32 in [0x7f80_0001, 0x7fff_ffff, 0x7fc0_0000] {
      let result = bits(Float(bitPattern: nan), .bfloat16)
      #expect(result & 0x7fff > 0x7f80)
    }
  }
}
