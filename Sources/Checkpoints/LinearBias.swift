#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Attention with linear biases (ALiBi): a score falls with the distance of query and key, to either side
/// alike, by a slope of its head.
///
/// Source: Press et al., ALiBi; jinaai/jina-bert-implementation, `rebuild_alibi_tensor`.
public enum LinearBias {
  /// Of each head. In float32, as PyTorch has them at every precision of the model.
  public static func slopes(headCount: Int) -> [Float] {
    var power = 1
    while 2 * power <= headCount { power *= 2 }
    // Heads past a power of two have every other slope of twice as many.
    let between = Swift.stride(from: 0, to: 2 * (headCount - power), by: 2)
    return (0..<power).map { slope($0, of: power) } + between.map { slope($0, of: 2 * power) }
  }

  /// - Parameter count: a power of two.
  private static func slope(_ index: Int, of count: Int) -> Float {
    let ratio = pow(2, -8 / Double(count))
    return Float(ratio * pow(ratio, Double(index)))
  }

  /// What is added to a score.
  public static func value(slope: Float, distance: Int) -> Float {
    -slope * Float(distance.magnitude)
  }
}
