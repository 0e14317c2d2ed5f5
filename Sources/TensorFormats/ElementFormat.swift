/// How float32 values are written as bytes, little-endian.
///
/// The narrower formats round to the nearest, ties to even; what is too large for float16 (from
/// 65,520 on) becomes infinity, as IEEE 754 has it.
public enum ElementFormat: String, CaseIterable, Sendable {
  case float32
  case float16
  case bfloat16

  /// Bytes per element.
  public var size: Int { self == .float32 ? 4 : 2 }

  /// Appends `values.count * size` bytes.
  public func append(_ values: Span<Float>, to bytes: inout [UInt8]) {
    switch self {
    case .float32: Self.append(values, to: &bytes) { $0.bitPattern }
    case .float16: Self.append(values, to: &bytes, Self.float16)
    case .bfloat16: Self.append(values, to: &bytes, Self.bfloat16)
    }
  }

  @inline(__always)
  private static func append<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ values: Span<Float>, to bytes: inout [UInt8], _ bits: (Float) -> Bits
  ) {
    let size = MemoryLayout<Bits>.size
    bytes.append(addingCapacity: values.count * size) { output in
      // `capacity` has room for `count` elements behind `length`.
      unsafe output.withUnsafeMutableBufferPointer { buffer, length in
        let raw = UnsafeMutableRawBufferPointer(buffer)
        for index in values.indices {
          unsafe raw.storeBytes(
            of: bits(values[index]).littleEndian, toByteOffset: length + index * size,
            as: Bits.self)
        }
        length += values.count * size
      }
    }
  }

  /// The bits of the nearest bfloat16.
  static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    // Rounding must not carry a NaN's fraction away: it stays a quiet NaN.
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
  }

  /// The bits of the nearest IEEE 754 binary16. Swift's `Float16` does not exist on x86-64 macOS.
  static func float16(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7fff_ffff
    switch magnitude {
    case 0x7f80_0001...:  // NaN, made quiet.
      return sign | 0x7e00 | UInt16(truncatingIfNeeded: magnitude >> 13) & 0x3ff
    case 0x4780_0000...:  // From 2^16.
      return sign | 0x7c00
    case 0x3880_0000...:  // From 2^-14, normal: the exponent's bias goes from 127 to 15.
      let rebiased = magnitude &- 112 << 23
      return sign | UInt16(truncatingIfNeeded: (rebiased &+ 0xfff &+ (magnitude >> 13 & 1)) >> 13)
    default:  // The sum's last place is 2^-24, float16's least: the addition rounds.
      let sum = Float(bitPattern: magnitude) + 0.5
      return sign | UInt16(truncatingIfNeeded: sum.bitPattern &- Float(0.5).bitPattern)
    }
  }
}
