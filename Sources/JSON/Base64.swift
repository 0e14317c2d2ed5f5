/// Base64 with the standard alphabet and padding. Source: RFC 4648, section 4.
public enum Base64 {
  /// Appends the text, 4 characters for every 3 bytes begun.
  public static func encode(_ data: Span<UInt8>, to text: inout [UInt8]) {
    let size = (data.count + 2) / 3 * 4
    let words = unsafe data.bytes
    text.append(addingCapacity: size) { output in
      var offset = 0
      // Six bytes at a time, as four pairs of characters; eight are read.
      while offset + 8 <= data.count {
        let word = unsafe UInt64(
          bigEndian: words.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
        for shift: UInt64 in [52, 40, 28, 16] {
          let pair = pairs[Int(truncatingIfNeeded: word >> shift & 0xfff)]
          output.append(UInt8(truncatingIfNeeded: pair))
          output.append(UInt8(truncatingIfNeeded: pair >> 8))
        }
        offset += 6
      }
      while offset < data.count {
        let count = min(3, data.count - offset)
        var group = 0
        for index in 0..<3 {
          group = group << 8 | (index < count ? Int(data[offset + index]) : 0)
        }
        for index in 0..<4 {
          let digit = group >> (18 - 6 * index) & 63
          output.append(index <= count ? alphabet[digit] : UInt8(ascii: "="))
        }
        offset += 3
      }
    }
  }

  /// Reads text that is exactly what `encode` writes: padded, without white space, and with zeros
  /// in the bits that no byte takes.
  ///
  /// - Throws: `JSONError.invalidBase64` with the first wrong character's offset in the text.
  public static func decode(_ text: Span<UInt8>) throws(JSONError) -> [UInt8] {
    guard text.count % 4 == 0 else { throw .invalidBase64(offset: text.count) }
    var padding = 0
    while padding < min(2, text.count), text[text.count - 1 - padding] == UInt8(ascii: "=") {
      padding += 1
    }
    let digitCount = text.count - padding
    var data: [UInt8] = []
    data.reserveCapacity(text.count / 4 * 3)
    var bits: UInt32 = 0
    for index in 0..<digitCount {
      let value = values[Int(text[index])]
      guard value < 64 else { throw .invalidBase64(offset: index) }
      bits = bits << 6 | UInt32(value)
      // Of four digits, the second to fourth complete a byte each.
      let spare = 6 - UInt32(index & 3) * 2
      if index & 3 != 0 { data.append(UInt8(truncatingIfNeeded: bits >> spare)) }
    }
    // One digit of padding leaves 2 bits over, two leave 4.
    guard bits & (1 << UInt32(padding * 2) - 1) == 0 else {
      throw .invalidBase64(offset: digitCount - 1)
    }
    return data
  }

  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// For 12 bits, their two characters, the first in the low byte.
  private static let pairs: [UInt16] = (0..<4096).map { bits in
    UInt16(alphabet[bits >> 6]) | UInt16(alphabet[bits & 63]) << 8
  }

  /// For each character its six bits, 64 for all others.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 64, count: 256)
    for (index, character) in alphabet.enumerated() { values[Int(character)] = UInt8(index) }
    return values
  }()
}
