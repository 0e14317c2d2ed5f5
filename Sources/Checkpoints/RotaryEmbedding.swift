import JSON

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Rotary position embedding: pairs of a head's columns turn by an angle that grows with the position,
/// the slower the later the pair.
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
  /// - Parameter size: columns of a head.
  public func frequencies(size: Int) -> [Float] {
    let base = Double(Float(theta * scaling))
    let divisor = Float(pow(scaling, 2 / Double(size)))
    return stride(from: 0, to: size / 2 * 2, by: 2).map { column in
      1 / Float(pow(base, Double(Float(column) / Float(size)))) / divisor
    }
  }

  /// [size]: the cosines of a position's angles, then their sines.
  public func row(position: Int, frequencies: [Float]) -> [Float] {
    let angles = frequencies.map { Double($0 * Float(position)) }
    return angles.map { Float(cos($0)) } + angles.map { Float(sin($0)) }
  }
}

extension JSONFile {
  /// A number in a range; nil if missing or null.
  func number(_ key: String, in range: ClosedRange<Double>) throws(CheckpointError) -> Double? {
    let value: Double?
    switch self[key] {
    case .null: return nil
    case .double(let number): value = number
    case .integer: value = self[key].integer(in: -(1 << 53)...(1 << 53)).map(Double.init)
    default: value = nil
    }
    guard let value, range.contains(value) else {
      throw invalid(key, "must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// `rope_parameters`, as transformers 5 writes them, or `rope_theta`, as earlier ones did.
  ///
  /// - Parameters:
  ///   - kind: the member of `rope_parameters` that has them, where kinds of blocks have their own.
  ///   - oldKey: in place of `rope_theta`.
  func rotary(
    kind: String? = nil, oldKey: String = "rope_theta", default theta: Double
  ) throws(CheckpointError) -> RotaryEmbedding {
    let old = try number(oldKey, in: RotaryEmbedding.thetas)
    guard self["rope_scaling"] == .null else {
      throw invalid("rope_scaling", "must be null: scaled rotary positions are not supported")
    }
    guard var parameters = try object("rope_parameters") else {
      return RotaryEmbedding(theta: old ?? theta)
    }
    if let kind {
      guard Set(parameters.keys).isSubset(of: ["full_attention", "sliding_attention"]) else {
        throw invalid(
          "rope_parameters", "must have only the members full_attention and sliding_attention")
      }
      guard let own = try parameters.object(kind) else {
        return RotaryEmbedding(theta: old ?? theta)
      }
      parameters = own
    }
    let keys = parameters.keys.filter { parameters[$0] != .null }
    let type = try parameters.string("rope_type") ?? "default"
    guard type == "default", Set(keys).isSubset(of: ["rope_type", "rope_theta"]) else {
      throw invalid(
        "rope_parameters",
        "must have rope_theta and the rope_type \"default\" alone: scaled rotary positions are not "
          + "supported")
    }
    let found = try parameters.number("rope_theta", in: RotaryEmbedding.thetas)
    return RotaryEmbedding(theta: found ?? old ?? theta)
  }
}
