/// Made-up weights for a model's variables, so that its graph can be run with little work and
/// without reading a weight: a kernel has a few entries an output, every other value is drawn from
/// its variable's name and place.
struct ProbeWeights {
  struct Variable {
    /// The canonical name.
    var name: String
    /// As it is stored: linear weights are [in, out], with heads as axes of their own.
    var shape: [Int]
    /// Of a linear layer's weights: how many axes are inputs.
    var inputAxes: Int?
  }

  private(set) var variables: [Variable] = []
  private var numbers: [String: Int] = [:]

  private static let entriesPerOutput = 4

  /// Adds a variable and returns its number.
  mutating func add(_ variable: Variable) -> Int {
    numbers[variable.name] = variables.count
    variables.append(variable)
    return variables.count - 1
  }

  func shape(_ number: Int) -> [Int] { variables[number].shape }

  /// All values of a variable; nil if there are too many.
  func array(_ number: Int) -> GraphArray? {
    let variable = variables[number]
    guard let count = GraphArray.count(variable.shape) else { return nil }
    guard let weights = linear(number) else {
      return GraphArray(variable.shape, (0..<count).map { value($0, of: variable) })
    }
    let outputs = weights.outputs
    var values = [Double](repeating: 0, count: count)
    for entry in weights.entries { values[entry.input * outputs + entry.output] += entry.value }
    return GraphArray(variable.shape, values)
  }

  /// Rows of a table.
  func rows(_ rows: GraphArray, of number: Int) -> GraphArray? {
    let variable = variables[number]
    guard variable.inputAxes == nil, variable.shape.count == 2, let indices = rows.integers,
      GraphArray.count(rows.shape + [variable.shape[1]]) != nil
    else { return nil }
    let columns = variable.shape[1]
    var values: [Double] = []
    for index in indices {
      guard (0..<variable.shape[0]).contains(index) else { return nil }
      values += (0..<columns).map { value(index * columns + $0, of: variable) }
    }
    return GraphArray(rows.shape + [columns], values)
  }

  /// What is not zero, by place; nil if it is too much.
  func entries(_ number: Int) -> [GraphArray.Entry]? {
    guard let weights = linear(number) else { return array(number)?.entries }
    let strides = GraphArray.strides(of: variables[number].shape)
    return weights.entries.map { entry in
      var rest = entry.input * weights.outputs + entry.output
      let place = strides.map { stride in
        defer { rest %= stride }
        return rest / stride
      }
      return (place, entry.value)
    }
  }

  // MARK: By canonical name

  func vector(_ name: String) -> [Double] { numbers[name].flatMap(array)?.values ?? [] }

  func row(_ index: Int, of name: String) -> [Double] {
    numbers[name].flatMap { rows(GraphArray([index]), of: $0) }?.values ?? []
  }

  /// A linear layer, applied to each row.
  func apply(_ name: String, to rows: [[Double]]) -> [[Double]] {
    let bias = vector("\(name).bias")
    guard let number = numbers["\(name).weight"], let weights = linear(number) else { return [] }
    return rows.map { row in
      var result = bias
      for entry in weights.entries { result[entry.output] += row[entry.input] * entry.value }
      return result
    }
  }

  // MARK: Values

  private func linear(
    _ number: Int
  ) -> (outputs: Int, entries: [(input: Int, output: Int, value: Double)])? {
    let variable = variables[number]
    guard let axes = variable.inputAxes else { return nil }
    let inputs = variable.shape[..<axes].reduce(1, *)
    let outputs = variable.shape[axes...].reduce(1, *)
    let seed = Self.seed(variable.name)
    var entries: [(input: Int, output: Int, value: Double)] = []
    for output in 0..<outputs {
      for turn in 0..<Self.entriesPerOutput {
        let bits = Self.mixed(seed &+ UInt64(output * Self.entriesPerOutput + turn))
        entries.append((Int(bits % UInt64(inputs)), output, 0.8 * Self.uniform(Self.mixed(bits))))
      }
    }
    return (outputs, entries)
  }

  private func value(_ place: Int, of variable: Variable) -> Double {
    let value = Self.uniform(Self.mixed(Self.seed(variable.name) &+ UInt64(place)))
    if variable.name.hasSuffix("LayerNorm.weight") { return 1 + 0.3 * value }
    return variable.name.hasSuffix(".bias") ? 0.3 * value : 1.5 * value
  }

  /// FNV-1a.
  private static func seed(_ name: String) -> UInt64 {
    name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// SplitMix64.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var bits = value &+ 0x9e37_79b9_7f4a_7c15
    bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
    return bits ^ bits >> 31
  }

  /// From -1 to 1.
  private static func uniform(_ bits: UInt64) -> Double { Double(bits >> 11) * 0x1p-52 - 1 }
}
