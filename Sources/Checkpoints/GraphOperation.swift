#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One node of a graph, computed.
///
/// Source: TensorFlow, `core/ops/*.cc`.
struct GraphOperation {
  let function: GraphFunction
  let node: GraphFunction.Node
  let weights: ProbeWeights
  /// Products that were summed.
  private(set) var work = 0

  init(function: GraphFunction, node: GraphFunction.Node, weights: ProbeWeights) {
    self.function = function
    self.node = node
    self.weights = weights
  }

  /// Nil if the operation is not known, or not with such inputs.
  mutating func result(_ inputs: [GraphRun.Value]) throws(CheckpointError) -> GraphArray? {
    switch node.operation {
    case "Einsum": return try einsum(inputs)
    case "MatMul", "BatchMatMulV2", "BatchMatMul": return try product(inputs)
    case "ResourceGather", "GatherV2", "Gather":
      guard inputs.count >= 2, let numbers = array(inputs[1]),
        inputs.count < 3 || array(inputs[2])?.scalar == 0,
        try number("batch_dims") == 0
      else { return nil }
      if case .variable(let variable) = inputs[0] {
        return weights.rows(numbers, of: variable)
      }
      return array(inputs[0])?.rows(numbers)
    default: break
    }
    var arrays: [GraphArray] = []
    for input in inputs {
      guard let array = array(input) else { return nil }
      arrays.append(array)
    }
    if arrays.count == 1, let one = Self.unary[node.operation] { return arrays[0].map(one) }
    if arrays.count == 2, let two = Self.binary[node.operation] {
      return GraphArray.combine(arrays[0], arrays[1], two)
    }
    return try result(of: arrays)
  }

  private func array(_ value: GraphRun.Value) -> GraphArray? {
    switch value {
    case .array(let array): array
    case .variable(let variable): weights.array(variable)
    case .several, .other: nil
    }
  }

  /// Whether an operation reads all of a variable, where it takes one.
  static func readsWhole(_ operation: String) -> Bool {
    ![
      "Identity", "StopGradient", "ReadVariableOp", "PreventGradient", "Snapshot", "IdentityN",
      "PartitionedCall", "StatefulPartitionedCall", "ResourceGather", "GatherV2", "Gather",
      "Einsum", "MatMul", "BatchMatMulV2", "BatchMatMul",
    ].contains(operation)
  }

  private func number(_ key: String) throws(CheckpointError) -> FileNumber {
    try function.number(key, of: node)
  }

  private static let unary: [String: @Sendable (Double) -> Double] = [
    "Tanh": { tanh($0) }, "Erf": { erf($0) }, "Erfc": { erfc($0) }, "Relu": { max($0, 0) },
    "Rsqrt": { 1 / $0.squareRoot() }, "Sqrt": { $0.squareRoot() }, "Square": { $0 * $0 },
    "Neg": { -$0 }, "Exp": { exp($0) }, "LogicalNot": { $0 == 0 ? 1 : 0 },
    "Reciprocal": { 1 / $0 }, "Abs": { abs($0) },
    "Sigmoid": DenseLayer.Activation.sigmoid.value,
    "Softplus": DenseLayer.Activation.softPlus.value,
    "Relu6": DenseLayer.Activation.relu6.value, "Elu": DenseLayer.Activation.elu.value,
    "Selu": DenseLayer.Activation.selu.value, "Softsign": DenseLayer.Activation.softSign.value,
  ]

  private static let binary: [String: @Sendable (Double, Double) -> Double] = [
    "Add": { $0 + $1 }, "AddV2": { $0 + $1 }, "Sub": { $0 - $1 }, "Mul": { $0 * $1 },
    "RealDiv": { $0 / $1 }, "Maximum": { max($0, $1) }, "Minimum": { min($0, $1) },
    "Pow": { pow($0, $1) }, "SquaredDifference": { ($0 - $1) * ($0 - $1) },
    "BiasAdd": { $0 + $1 }, "Equal": { $0 == $1 ? 1 : 0 }, "NotEqual": { $0 != $1 ? 1 : 0 },
    "Less": { $0 < $1 ? 1 : 0 }, "LessEqual": { $0 <= $1 ? 1 : 0 },
    "Greater": { $0 > $1 ? 1 : 0 }, "GreaterEqual": { $0 >= $1 ? 1 : 0 },
    "LogicalAnd": { $0 != 0 && $1 != 0 ? 1 : 0 }, "LogicalOr": { $0 != 0 || $1 != 0 ? 1 : 0 },
    "DivNoNan": { $1 == 0 ? 0 : $0 / $1 },
  ]

  private func result(of arrays: [GraphArray]) throws(CheckpointError) -> GraphArray? {
    let first = arrays.first
    switch (node.operation, arrays.count) {
    case ("Shape", 1): return first.map { GraphArray($0.shape) }
    case ("Cast", 1):
      // float32, float64 and the like stay as they are; integers are cut; booleans are 0 and 1.
      switch try number("DstT").bits {
      case 1, 2, 14, 19: return first
      case 3, 9: return first?.map { $0.rounded(.towardZero) }
      case 10: return first?.map { $0 == 0 ? 0 : 1 }
      default: return nil
      }
    case ("Reshape", 2): return arrays[1].integers.flatMap { arrays[0].reshaped($0) }
    case ("BroadcastTo", 2): return arrays[1].integers.flatMap { arrays[0].broadcast(to: $0) }
    case ("Transpose", 2): return arrays[1].integers.flatMap { arrays[0].transposed($0) }
    case ("ExpandDims", 2):
      guard let number = arrays[1].integers?.first else { return nil }
      let axis = number < 0 ? number + arrays[0].shape.count + 1 : number
      guard (0...arrays[0].shape.count).contains(axis) else { return nil }
      var shape = arrays[0].shape
      shape.insert(1, at: axis)
      return arrays[0].reshaped(shape)
    case ("Pack", 1...):
      guard try number("axis") == 0, Set(arrays.map(\.shape)).count == 1 else { return nil }
      return GraphArray.concatenated(
        arrays.map { GraphArray([1] + $0.shape, $0.values) }, axis: 0)
    case ("ConcatV2", 2...):
      guard let axis = arrays.last?.integers?.first else { return nil }
      return GraphArray.concatenated(Array(arrays.dropLast()), axis: axis)
    case ("Range", 3):
      guard let start = arrays[0].scalar, let end = arrays[1].scalar, arrays[2].scalar == 1,
        end - start >= 0, end - start <= 4_096
      else { return nil }
      let values = Array(stride(from: start, to: end, by: 1))
      return GraphArray([values.count], values)
    case ("Fill", 2):
      guard let shape = arrays[0].integers, let count = GraphArray.count(shape),
        let value = arrays[1].scalar
      else { return nil }
      return GraphArray(shape, Array(repeating: value, count: count))
    case ("ZerosLike", 1): return first?.map { _ in 0 }
    case ("OnesLike", 1): return first?.map { _ in 1 }
    case ("OneHot", 4): return oneHot(arrays)
    case ("Select", 3), ("SelectV2", 3):
      guard let chosen = GraphArray.combine(arrays[0], arrays[1], { $0 != 0 ? $1 : 0 }),
        let others = GraphArray.combine(arrays[0], arrays[2], { $0 != 0 ? 0 : $1 })
      else { return nil }
      return GraphArray.combine(chosen, others, +)
    case ("Mean", 2), ("Sum", 2), ("Max", 2), ("Min", 2), ("Prod", 2): return try reduced(arrays)
    case ("Softmax", 1):
      guard let array = first, let size = array.shape.last, size > 0 else { return nil }
      var values: [Double] = []
      for start in stride(from: 0, to: array.values.count, by: size) {
        let row = array.values[start..<start + size]
        let largest = row.max() ?? 0
        let powers = row.map { exp($0 - largest) }
        let sum = powers.reduce(0, +)
        values += powers.map { $0 / sum }
      }
      return GraphArray(array.shape, values)
    case ("Squeeze", 1):
      // All axes of one, as without the attribute, or none of them.
      guard let array = first, node.attributes["squeeze_dims"] == nil else { return nil }
      return array.reshaped(array.shape.filter { $0 != 1 })
    case ("StridedSlice", 4): return try slice(arrays)
    case ("AddN", 1...):
      guard var sum = first else { return nil }
      for array in arrays.dropFirst() where array.shape == sum.shape {
        guard let next = GraphArray.combine(sum, array, +) else { return nil }
        sum = next
      }
      return Set(arrays.map(\.shape)).count == 1 ? sum : nil
    default: return nil
    }
  }

  private func reduced(_ arrays: [GraphArray]) throws(CheckpointError) -> GraphArray? {
    guard let axes = arrays[1].integers else { return nil }
    let keepsAxes = try number("keep_dims") != 0
    return arrays[0].reduced(axes, keepsAxes: keepsAxes) { values in
      switch node.operation {
      case "Mean": values.reduce(0, +) / Double(values.count)
      case "Sum": values.reduce(0, +)
      case "Prod": values.reduce(1, *)
      case "Max": values.max() ?? 0
      default: values.min() ?? 0
      }
    }
  }

  private func oneHot(_ arrays: [GraphArray]) -> GraphArray? {
    guard let depth = arrays[1].scalar.flatMap({ Int(exactly: $0) }), let on = arrays[2].scalar,
      let off = arrays[3].scalar, depth >= 0,
      GraphArray.count(arrays[0].shape + [depth]) != nil
    else { return nil }
    let values = arrays[0].values.flatMap { value in
      (0..<depth).map { Double($0) == value ? on : off }
    }
    return GraphArray(arrays[0].shape + [depth], values)
  }

  private func slice(_ arrays: [GraphArray]) throws(CheckpointError) -> GraphArray? {
    let array = arrays[0]
    guard let begins = arrays[1].integers, let ends = arrays[2].integers,
      let steps = arrays[3].integers, begins.count == ends.count, steps.count == begins.count,
      begins.count <= 8, try number("ellipsis_mask") == 0
    else { return nil }
    let masks = (
      begin: try number("begin_mask").bits, end: try number("end_mask").bits,
      new: try number("new_axis_mask").bits, shrink: try number("shrink_axis_mask").bits
    )
    var (shape, strides, start, axis) = ([Int](), [Int](), 0, 0)
    for index in begins.indices {
      let bit: UInt64 = 1 << index
      if masks.new & bit != 0 {
        shape.append(1)
        strides.append(0)
        continue
      }
      guard axis < array.shape.count, steps[index] == 1 else { return nil }
      let length = array.shape[axis]
      func place(_ number: Int) -> Int {
        min(max(number < 0 ? number + length : number, 0), length)
      }
      let begin = masks.begin & bit != 0 ? 0 : place(begins[index])
      if masks.shrink & bit != 0 {
        guard begin < length else { return nil }
        start += begin * array.strides[axis]
      } else {
        let end = masks.end & bit != 0 ? length : place(ends[index])
        start += begin * array.strides[axis]
        shape.append(max(0, end - begin))
        strides.append(array.strides[axis])
      }
      axis += 1
    }
    shape += array.shape[axis...]
    strides += array.strides[axis...]
    return array.gathered(shape, strides, from: start)
  }

  // MARK: Products

  private mutating func einsum(_ inputs: [GraphRun.Value]) throws(CheckpointError) -> GraphArray? {
    let equation = try function.string("equation", of: node)
    let sides = equation.split(separator: ">", omittingEmptySubsequences: false)
    guard inputs.count == 2, sides.count == 2, sides[0].last == "-",
      equation.allSatisfy({ $0.isASCII })
    else { return nil }
    let operands = sides[0].dropLast().split(separator: ",", omittingEmptySubsequences: false)
    guard operands.count == 2, let rank = shape(inputs[0])?.count, rank <= 8 else { return nil }
    // An ellipsis stands for the axes of the first operand that have no letter.
    let dots = "..."
    let own = operands[0].count - (operands[0].contains(".") ? dots.count : 0)
    let free = Array("ABCDEFGH".prefix(max(0, rank - own)))
    func letters(_ part: Substring) -> [Character] {
      guard part.hasPrefix(dots) else { return Array(part) }
      return free + part.dropFirst(dots.count)
    }
    let (left, right, result) = (letters(operands[0]), Array(operands[1]), letters(sides[1]))
    guard !(left + right + result).contains(".") else { return nil }
    return product(inputs, left, right, result)
  }

  /// Matrices, or stacks of them.
  private mutating func product(_ inputs: [GraphRun.Value]) throws(CheckpointError) -> GraphArray? {
    guard inputs.count == 2, let rank = shape(inputs[0])?.count, rank >= 2, rank <= 8,
      shape(inputs[1])?.count == rank
    else { return nil }
    let stack = Array("abcdefgh".prefix(rank - 2))
    let isPlain = node.operation == "MatMul"
    let turns = (
      try number(isPlain ? "transpose_a" : "adj_x") != 0,
      try number(isPlain ? "transpose_b" : "adj_y") != 0
    )
    return product(
      inputs, stack + (turns.0 ? ["y", "x"] : ["x", "y"]),
      stack + (turns.1 ? ["z", "y"] : ["y", "z"]), stack + ["x", "z"])
  }

  private mutating func product(
    _ inputs: [GraphRun.Value], _ left: [Character], _ right: [Character], _ result: [Character]
  ) -> GraphArray? {
    // A variable's few entries are on the right.
    if case .variable = inputs[0] {
      guard case .array = inputs[1] else { return nil }
      return product([inputs[1], inputs[0]], right, left, result)
    }
    guard let array = array(inputs[0]), let otherShape = shape(inputs[1]) else { return nil }
    let entries: [GraphArray.Entry]
    switch inputs[1] {
    case .variable(let variable):
      guard let found = weights.entries(variable) else { return nil }
      entries = found
    case .array(let other): entries = other.entries
    case .several, .other: return nil
    }
    // An entry of the other one is itself an array.
    let free = zip(left, array.shape).filter { !right.contains($0.0) }.map(\.1)
    work += min(FileNumber.product(free + [entries.count]) ?? .max, 1 << 32) + 8 * entries.count
    return GraphArray.einsum((left, right, result), array, entries, otherShape)
  }

  private func shape(_ value: GraphRun.Value) -> [Int]? {
    switch value {
    case .array(let array): array.shape
    case .variable(let variable): weights.shape(variable)
    case .several, .other: nil
    }
  }
}
