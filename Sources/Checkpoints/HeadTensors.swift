import JSON

/// The tensors of a file of weights that are not the encoder's, for a head to take its own from.
struct HeadTensors {
  private let tensors: [String: Tensor]
  /// What was asked for in vain.
  private(set) var missing: [String] = []

  init(_ tensors: [Tensor]) {
    self.tensors = Dictionary(
      tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func has(_ name: String) -> Bool { tensors[name] != nil }

  /// The first of some names that there is, if its shape is right.
  ///
  /// - Parameter isOptional: whether zeros take the place of a missing one.
  mutating func take(_ name: String, shape: [Int], isOptional: Bool = false) -> Tensor? {
    take([name], shape: shape, isOptional: isOptional)
  }

  mutating func take(_ names: [String], shape: [Int], isOptional: Bool = false) -> Tensor? {
    let found = names.compactMap { tensors[$0] }.first
    if found == nil, isOptional {
      // A head's sizes are those of the configuration, which are bounded.
      let count = shape.reduce(1, *)
      return Tensor(name: names[0], shape: shape, floats: Array(repeating: 0, count: count))
    }
    if let found, found.shape == shape, found.elementType.isFloat { return found }
    missing.append(
      "\(names[0]) \(shape)" + (found.map { ", but \($0.elementType.rawValue) \($0.shape)" } ?? ""))
    return nil
  }
}

extension JSONFile {
  /// The classes that `architectures` names; values that are no strings are passed over.
  var architectures: [String] {
    guard case .array(let names) = self["architectures"] else { return [] }
    return names.compactMap { if case .string(let name) = $0 { name } else { nil } }
  }

  /// Whether `architectures` or `auto_map` names a class with this prefix.
  func hasClass(prefixed prefix: String) -> Bool {
    if architectures.contains(where: { $0.hasPrefix(prefix) }) { return true }
    guard case .object(let map) = self["auto_map"] else { return false }
    return map.values.contains { value in
      guard case .string(let path) = value else { return false }
      return path.split(separator: ".").last?.hasPrefix(prefix) ?? false
    }
  }

  /// The class that `architectures` names first; nil if it names none.
  var architecture: String? { architectures.first }
}

extension HeadFinding {
  static var noClass: Self {
    .none(because: "config.json names no class with a head in architectures")
  }

  static func unsupported(_ architecture: String) -> Self {
    .none(because: "the head of \(architecture.prefix(64)) is not supported", isExpected: true)
  }
}
