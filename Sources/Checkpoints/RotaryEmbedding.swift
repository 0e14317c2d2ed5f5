#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Rotary position embedding: pairs of a head's columns are rotated by an angle that grows with the
/// position, the slower the later the pair.
///
/// Source: Su et al., RoFormer; transformers `modeling_rope_utils.py`.
public struct RotaryEmbedding: Hashable, Sendable {
  /// The base of the frequencies.
  public var theta: Double
  /// Frequencies are divided by its power 2 / size, and the base is multiplied by it: how Alibaba's
  /// models stretch positions (NTK).
  public var scaling = 1.0

  public init(theta: Double) { self.theta = theta }

  static let thetas = 1.0...1e12
  static let scalings = 1.0...1e6

  /// Radians a position of each pair. In float32, as PyTorch computes it: frameworks and weights know
  /// positions only so exactly.
  ///
  /// - Parameter size: columns of a head, even.
  public func frequencies(size: Int) -> [Float] {
    let base = Double(Float(theta * scaling))
    let divisor = Float(pow(scaling, 2 / Double(size)))
    return stride(from: 0, to: size, by: 2).map { column in
      1 / Float(pow(base, Double(Float(column) / Float(size)))) / divisor
    }
  }

  /// [size]: the cosines of a position's angles, then their sines.
  public func row(position: Int, frequencies: [Float]) -> [Float] {
    let angles = frequencies.map { Double($0 * Float(position)) }
    return angles.map { Float(cos($0)) } + angles.map { Float(sin($0)) }
  }
}
