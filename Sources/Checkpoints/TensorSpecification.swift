/// A tensor that a model needs.
public struct TensorSpecification: Equatable, Sendable {
  /// Hugging Face's name without the `bert.` prefix: `encoder.layer.0.output.dense.weight`.
  public var name: String
  public var shape: [Int]

  public init(_ name: String, _ shape: [Int]) {
    self.name = name
    self.shape = shape
  }
}
