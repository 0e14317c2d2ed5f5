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
    var allBits: UInt8 = 0
    var spareBits: UInt8 = 0
    let data = [UInt8](capacity: text.count / 4 * 3) { data in
      var offset = 0
      while offset < digitCount {
        let isLast = offset + 4 > digitCount
        let a = values[Int(text[offset])]
        let b = values[Int(text[offset + 1])]
        let c = isLast && padding == 2 ? 0 : values[Int(text[offset + 2])]
        let d = isLast ? 0 : values[Int(text[offset + 3])]
        allBits |= a | b | c | d
        data.append(a << 2 | b >> 4)
        if !isLast || padding == 1 { data.append(b << 4 | c >> 2) }
        if !isLast { data.append(c << 6 | d) }
        if isLast { spareBits = padding == 1 ? c & 0b11 : b & 0b1111 }
        offset += 4
      }
    }
    guard allBits < 64 else {
      let first = (0..<digitCount).first { values[Int(text[$0])] == 64 }
      throw .invalidBase64(offset: first ?? 0)
    }
    guard spareBits == 0 else { throw .invalidBase64(offset: digitCount - 1) }
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
