extension Tensor {
  /// Whether the bytes are float32 in this machine's own form, so that `withFloats` copies nothing.
  public var isAlignedFloat32: Bool {
    let address = unsafe UInt(bitPattern: bytes.baseAddress)
    return elementType == .float32 && !isTransposed && address % 4 == 0 && 1.littleEndian == 1
  }

  /// Calls `body` with the values as float32, [count]: in place where they are so already, in a
  /// temporary copy otherwise.
  ///
  /// - Precondition: `elementType.isFloat`.
  public func withFloats<Result, Failure: Error>(
    _ body: (Span<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if isAlignedFloat32 {
      return try body(unsafe bytes.assumingMemoryBound(to: Float.self).span)
    }
    var copy = [Float](repeating: 0, count: count)
    var destination = copy.mutableSpan
    copyFloats(into: &destination)
    return try body(copy.span)
  }

  /// Writes the values as float32. float16 and bfloat16 convert exactly, float64 is rounded to
  /// the nearest.
  ///
  /// - Precondition: `elementType.isFloat`, and `destination.count == count`.
  public func copyFloats(into destination: inout MutableSpan<Float>) {
    precondition(destination.count == count, "the destination has a place for each value")
    switch elementType {
    case .float32:
      convert(into: &destination) { (bits: UInt32) in Float(bitPattern: bits) }
    case .float16:
      convert(into: &destination, Self.float(fromFloat16:))
    case .bfloat16:
      convert(into: &destination) { (bits: UInt16) in Float(bitPattern: UInt32(bits) << 16) }
    case .float64:
      convert(into: &destination) { (bits: UInt64) in Float(Double(bitPattern: bits)) }
    default:
      preconditionFailure("\(elementType.rawValue) is not a floating-point type")
    }
  }

  private func convert<Bits: FixedWidthInteger & BitwiseCopyable>(
    into destination: inout MutableSpan<Float>, _ value: (Bits) -> Float
  ) {
    // In bounds: `bytes` holds `count` elements of this size, `destination` has `count` places.
    func element(_ index: Int) -> Float {
      let bits = unsafe bytes.loadUnaligned(
        fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
      return value(Bits(littleEndian: bits))
    }
    guard isTransposed else {
      for index in destination.indices { destination[index] = element(index) }
      return
    }
    // In squares, so that the lines of both sides stay in the cache.
    let (rows, columns, side) = (shape[0], shape[1], 16)
    for firstRow in stride(from: 0, to: rows, by: side) {
      for firstColumn in stride(from: 0, to: columns, by: side) {
        for row in firstRow..<min(firstRow + side, rows) {
          for column in firstColumn..<min(firstColumn + side, columns) {
            destination[row * columns + column] = element(column * rows + row)
          }
        }
      }
    }
  }

  /// IEEE 754 binary16 by its bits: Swift's `Float16` does not exist on x86-64 macOS.
  static func float(fromFloat16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let fraction = UInt32(bits) & 0x3ff
    switch exponent {
    case 0:  // Zero and subnormal: the fraction counts units of 2^-24.
      return Float(bitPattern: (Float(fraction) * 0x1p-24).bitPattern | sign)
    case 0x1f:  // Infinity and NaN.
      return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default:  // The exponent's bias goes from 15 to 127.
      return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
