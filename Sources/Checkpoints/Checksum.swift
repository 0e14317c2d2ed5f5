/// A reflected 32-bit cyclic redundancy check, eight bytes a step.
///
/// Source: "Slicing-by-8", M. Kounavis and F. Berry, 2005.
struct Checksum: Sendable {
  /// Castagnoli's polynomial: TensorFlow's tensor bundles.
  static let crc32c = Checksum(polynomial: 0x82f6_3b78)
  /// The polynomial of zip.
  static let crc32 = Checksum(polynomial: 0xedb8_8320)

  /// [8, 256]: the check of a byte with 0 to 7 zero bytes after it.
  private let tables: [UInt32]

  private init(polynomial: UInt32) {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? polynomial : 0) }
      tables[byte] = value
    }
    for index in 256..<tables.count {
      let before = tables[index - 256]
      tables[index] = before >> 8 ^ tables[Int(before & 0xff)]
    }
    self.tables = tables
  }

  /// - Parameter start: the check of what came before these bytes.
  func callAsFunction(_ bytes: UnsafeRawBufferPointer, after start: UInt32 = 0) -> UInt32 {
    unsafe tables.withUnsafeBufferPointer { tables in
      var value = ~start
      var index = 0
      // In bounds: every table index is below 8 * 256, every read ends at or before `bytes.count`.
      let count = bytes.count
      while index + 8 <= count {
        let word =
          unsafe UInt64(
            littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
          ^ UInt64(value)
        var sum: UInt32 = 0
        for byte in 0..<8 {
          let place = Int(truncatingIfNeeded: word >> (8 * byte)) & 0xff
          sum ^= unsafe tables[(7 - byte) << 8 | place]
        }
        value = sum
        index += 8
      }
      while index < count {
        value = unsafe value >> 8 ^ tables[Int((value ^ UInt32(bytes[index])) & 0xff)]
        index += 1
      }
      return ~value
    }
  }

  /// How LevelDB and TensorFlow store a check, so that checks of checks stay good ones.
  static func masked(_ value: UInt32) -> UInt32 { (value >> 15 | value << 17) &+ 0xa282_ead8 }
}
