/// What the process tells of itself through `/info` and `/metrics`, given by whoever wires it up.
public struct ProcessFacts: Sendable {
  /// A gauge or counter that is read when it is asked for.
  public struct Measurement: Sendable {
    public enum Kind: String, Sendable { case counter, gauge }
    public var name: String
    public var help: String
    public var kind: Kind
    public var value: @Sendable () -> Double

    public init(
      _ name: String, _ kind: Kind, help: String, value: @escaping @Sendable () -> Double
    ) {
      self.name = name
      self.kind = kind
      self.help = help
      self.value = value
    }
  }

  public var version: String
  /// Limits in force, by setting.
  public var limits: [(name: String, value: Int)]
  /// Connections, memory and the like.
  public var measurements: [Measurement]

  public init(
    version: String, limits: [(name: String, value: Int)], measurements: [Measurement]
  ) {
    self.version = version
    self.limits = limits
    self.measurements = measurements
  }
}
