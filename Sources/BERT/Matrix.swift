/// Rows of floats in memory that somebody else owns.
@unsafe
struct Matrix {
  let base: UnsafeMutablePointer<Float>
  /// Distance of two rows, in elements.
  let stride: Int

  func row(_ index: Int) -> UnsafeMutablePointer<Float> { unsafe base + index * stride }

  /// The rows from an index on.
  func from(_ index: Int) -> Matrix { unsafe Matrix(base: row(index), stride: stride) }

  /// The same, for the kernels that read and write values or operands.
  var rows: Rows {
    unsafe Rows(base: UnsafeMutableRawPointer(base), stride: stride * MemoryLayout<Float>.stride)
  }
}

/// Rows of values or operands in memory that somebody else owns.
@unsafe
struct Rows {
  let base: UnsafeMutableRawPointer
  /// Distance of two rows, in bytes.
  let stride: Int

  func row(_ index: Int) -> UnsafeMutableRawPointer { unsafe base + index * stride }

  /// The rows from an index on.
  func from(_ index: Int) -> Rows { unsafe Rows(base: row(index), stride: stride) }
}
