/// Rows of floats in memory that somebody else owns.
@unsafe
struct Matrix {
  let base: UnsafeMutablePointer<Float>
  /// Distance of two rows, in elements.
  let stride: Int

  func row(_ index: Int) -> UnsafeMutablePointer<Float> { unsafe base + index * stride }
}
