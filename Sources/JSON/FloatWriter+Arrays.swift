extension FloatWriter {
  /// Appends `[a,b,…]`.
  ///
  /// - Precondition: all are finite, for JSON has neither NaN nor infinity.
  public static func appendArray(_ values: Span<Float>, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "["))
    // Each number may need `maximumLength`, and most take half of it: so room is made by blocks.
    let blockSize = 256
    var start = 0
    while start < values.count {
      let count = min(blockSize, values.count - start)
      let block = values.extracting(start..<start + count)
      bytes.append(addingCapacity: count * (maximumLength + 1)) { output in
        // Each step moves on by at most `maximumLength` and a comma: it stays in the room made.
        unsafe output.withUnsafeMutableBufferPointer { buffer, length in
          guard var end = unsafe buffer.baseAddress.map({ unsafe $0 + length }) else { return }
          for index in block.indices {
            unsafe end += write(block[index], to: end)
            unsafe end[0] = UInt8(ascii: ",")
            unsafe end += 1
          }
          length = unsafe end - buffer.baseAddress!
        }
      }
      start += count
    }
    if !values.isEmpty { bytes.removeLast() }
    bytes.append(UInt8(ascii: "]"))
  }
}
