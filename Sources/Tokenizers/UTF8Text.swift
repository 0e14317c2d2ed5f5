/// Valid UTF-8, scalar by scalar.
enum UTF8Text {
  /// The scalar that begins at a byte, and the byte after it.
  static func scalar(in text: borrowing Span<UInt8>, at index: Int) -> (UInt32, end: Int) {
    let lead = UInt32(text[index])
    func tail(_ offset: Int) -> UInt32 { UInt32(text[index + offset]) & 0x3F }
    return switch lead {
    case 0..<0x80: (lead, index + 1)
    case 0x80..<0xE0: ((lead & 0x1F) << 6 | tail(1), index + 2)
    case 0xE0..<0xF0: ((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), index + 3)
    default: ((lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), index + 4)
    }
  }

  /// The scalar that ends before a byte, and where it begins.
  static func lastScalar(
    in text: borrowing Span<UInt8>, before end: Int
  ) -> (scalar: UInt32, start: Int) {
    var start = end - 1
    while start > 0 && text[start] & 0xC0 == 0x80 { start -= 1 }
    return (scalar(in: text, at: start).0, start)
  }

  @inline(__always)
  static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
    switch scalar {
    case 0..<0x80:
      bytes.append(UInt8(scalar))
    case 0x80..<0x800:
      bytes.append(UInt8(0xC0 | scalar >> 6))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    case 0x800..<0x1_0000:
      bytes.append(UInt8(0xE0 | scalar >> 12))
      bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    default:
      bytes.append(UInt8(0xF0 | scalar >> 18 & 0x07))
      bytes.append(UInt8(0x80 | scalar >> 12 & 0x3F))
      bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    }
  }
}
