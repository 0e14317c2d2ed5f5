extension Tensor {
  /// The values as float32.
  ///
  /// - Precondition: `elementType.isFloat`.
  public func floats() throws(CheckpointError) -> [Float] {
    var values = [Float](repeating: 0, count: count)
    var destination = values.mutableSpan
    try copyFloats(into: &destination)
    return values
  }

  /// Reads the values as float32. float16 and bfloat16 convert exactly, float64 is rounded to
  /// the nearest.
  ///
  /// - Precondition: `elementType.isFloat`, and `destination.count == count`.
  /// - Throws: if the file cannot be read, or is no longer the one that was opened.
  public func copyFloats(into destination: inout MutableSpan<Float>) throws(CheckpointError) {
    precondition(destination.count == count, "the destination has a place for each value")
    let (file, offset): (ModelFile, Int)
    switch storage {
    case .memory(let values):
      for index in values.indices { destination[index] = values[index] }
      return
    case .rows(let base, let order):
      for (place, row) in order.enumerated() {
        guard let values = try base.rows(row..<row + 1)?.floats() else {
          preconditionFailure("`rows` has checked that row \(row) is there")
        }
        for (column, value) in values.enumerated() {
          destination[place * values.count + column] = value
        }
      }
      return
    case .file(let stored, let start): (file, offset) = (stored, start)
    }
    if elementType == .float32, !isTransposed, 1.littleEndian == 1 {
      return try file.read(into: &destination, at: offset)
    }
    // Whole columns if the values are stored by columns.
    let unit = isTransposed ? max(1, shape[0]) * elementType.size : elementType.size
    let all = offset..<offset + count * elementType.size
    var done = 0
    for chunk in file.chunks(of: all, unit: unit) {
      let bytes = try file.bytes(chunk).bytes
      switch elementType {
      case .float32:
        convert(bytes, at: done, into: &destination) { (bits: UInt32) in Float(bitPattern: bits) }
      case .float16:
        convert(bytes, at: done, into: &destination, Self.float(fromFloat16:))
      case .bfloat16:
        convert(bytes, at: done, into: &destination) { (bits: UInt16) in
          Float(bitPattern: UInt32(bits) << 16)
        }
      case .float64:
        convert(bytes, at: done, into: &destination) { (bits: UInt64) in
          Float(Double(bitPattern: bits))
        }
      default:
        preconditionFailure("\(elementType.rawValue) is not a floating-point type")
      }
      done += chunk.count / elementType.size
    }
  }

  /// - Parameters:
  ///   - bytes: some of the tensor's elements, as they are stored.
  ///   - first: how many elements are stored before these.
  private func convert<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: [UInt8], at first: Int, into destination: inout MutableSpan<Float>,
    _ value: (Bits) -> Float
  ) {
    unsafe bytes.withUnsafeBytes { bytes in
      // In bounds: every index is below `count`.
      func element(_ index: Int) -> Float {
        let bits = unsafe bytes.loadUnaligned(
          fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
        return value(Bits(littleEndian: bits))
      }
      let count = bytes.count / MemoryLayout<Bits>.size
      guard isTransposed else {
        for index in 0..<count { destination[first + index] = element(index) }
        return
      }
      // In squares, so that the lines of both sides stay in the cache.
      let (rows, columns, side) = (shape[0], shape[1], 16)
      let (start, end) = (first / rows, (first + count) / rows)
      for firstRow in stride(from: 0, to: rows, by: side) {
        for firstColumn in stride(from: start, to: end, by: side) {
          for row in firstRow..<min(firstRow + side, rows) {
            for column in firstColumn..<min(firstColumn + side, end) {
              destination[row * columns + column] = element((column - start) * rows + row)
            }
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
