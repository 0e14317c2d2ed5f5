/// Runs functions of a SavedModel's graph on a few numbers, in float64.
///
/// It knows the operations that BERT is made of, and refuses every other by name. Only what the
/// results depend on is run.
struct GraphRun {
  enum Value {
    case array(GraphArray)
    /// A variable, by its number in `weights`.
    case variable(Int)
    case several([Value])
    /// What is handed on and not computed with: texts, tables.
    case other
  }

  /// The results of a call that is not made, or nil to make it.
  ///
  /// - Parameter resultCount: how many there are.
  typealias StandIn = (
    _ function: String, _ arguments: [Value], _ resultCount: Int
  ) throws(CheckpointError) -> [Value]?

  let graph: SavedModelGraph
  let weights: ProbeWeights
  /// What is added under square roots: the epsilons of layer norms.
  private(set) var epsilons: Set<Double> = []
  private let standIn: StandIn?
  /// Functions that were called, by name: each is read once.
  private var functions: [String: GraphFunction] = [:]
  /// Elements that were read and made, and `nodeWork` a call and a node.
  private var work = 0
  /// Elements that were made: all may be held at once.
  private var elementCount = 0

  /// Some seconds.
  private static let maximumWork = 1 << 28
  private static let nodeWork = 256
  /// 512 MB. BERT-large takes an eighth.
  private static let maximumElementCount = 1 << 26
  private static let maximumDepth = 64

  init(_ graph: SavedModelGraph, _ weights: ProbeWeights, standIn: StandIn? = nil) {
    self.graph = graph
    self.weights = weights
    self.standIn = standIn
  }

  /// The results of a function.
  mutating func call(
    _ name: String, _ arguments: [Value], depth: Int = 0
  ) throws(CheckpointError) -> [Value] {
    if functions[name] == nil { functions[name] = try graph.function(name) }
    guard depth < Self.maximumDepth, let function = functions[name] else {
      throw unsupported("it has no function \"\(name.prefix(100))\", or calls it without end")
    }
    try spend(Self.nodeWork + arguments.count + function.results.count)
    if let results = try standIn?(name, arguments, function.results.count) { return results }
    guard function.arguments.count == arguments.count else {
      throw unsupported(
        "the function \(name) takes \(function.arguments.count) values and gets \(arguments.count)")
    }
    var values: [String: Value] = [:]
    for (name, value) in zip(function.arguments, arguments) { values[name] = value }
    var results: [Value] = []
    for result in function.results {
      try run(result, of: function, &values, depth)
      results.append(try value(result, in: values, of: function))
    }
    return results
  }

  /// Runs a node after those that it depends on.
  private mutating func run(
    _ result: String, of function: GraphFunction, _ values: inout [String: Value], _ depth: Int
  ) throws(CheckpointError) {
    var pending = [GraphFunction.sourceName(result)]
    var begun: Set<String> = []
    while let name = pending.last {
      guard values[name] == nil else {
        pending.removeLast()
        continue
      }
      guard let node = function.nodes[name] else {
        throw unsupported("\(function.name) has no node \"\(name.prefix(100))\"")
      }
      let missing = node.inputs.map(GraphFunction.sourceName).filter { values[$0] == nil }
      guard missing.isEmpty else {
        guard begun.insert(name).inserted else {
          throw unsupported("the node \(name) depends on itself")
        }
        pending += missing
        continue
      }
      var inputs: [Value] = []
      for input in node.inputs { inputs.append(try value(input, in: values, of: function)) }
      try spend(Self.nodeWork + inputs.reduce(0) { $0 + size($1, in: node) })
      values[name] = try run(node, inputs, values, of: function, depth)
      pending.removeLast()
    }
  }

  private func value(
    _ input: String, in values: [String: Value], of function: GraphFunction
  ) throws(CheckpointError) -> Value {
    guard let value = values[GraphFunction.sourceName(input)] else {
      throw unsupported("\(function.name) has no node \"\(input.prefix(100))\"")
    }
    guard case .several(let results) = value else { return value }
    let place = input.split(separator: ":").last.flatMap { Int($0) } ?? 0
    guard results.indices.contains(place) else {
      throw unsupported("the node \(input.prefix(100)) has \(results.count) results")
    }
    return results[place]
  }

  /// - Parameter values: of the nodes before it.
  private mutating func run(
    _ node: GraphFunction.Node, _ inputs: [Value], _ values: [String: Value],
    of function: GraphFunction, _ depth: Int
  ) throws(CheckpointError) -> Value {
    switch node.operation {
    case "Identity", "StopGradient", "ReadVariableOp", "PreventGradient", "Snapshot":
      guard let value = inputs.first else { break }
      return value
    case "IdentityN": return .several(inputs)
    case "PartitionedCall", "StatefulPartitionedCall":
      guard let callee = try function.callee(of: node) else { break }
      return .several(try call(callee, inputs, depth: depth + 1))
    case "Const":
      guard let array = try function.constant(node) else { break }
      return .array(try kept(array))
    default:
      var operation = GraphOperation(function: function, node: node, weights: weights)
      guard let result = try operation.result(inputs) else { break }
      try spend(operation.work)
      if node.operation == "Rsqrt" || node.operation == "Sqrt" {
        noteEpsilon(node, values, of: function)
      }
      return .array(try kept(result))
    }
    throw unsupported(
      "the node \(node.name) (\(node.operation)) is not computed: it is no operation of BERT's "
        + "encoder, or has unknown options")
  }

  /// The constant of the sum that a square root is taken of.
  private mutating func noteEpsilon(
    _ root: GraphFunction.Node, _ values: [String: Value], of function: GraphFunction
  ) {
    guard let sum = root.inputs.first.flatMap({ function.nodes[GraphFunction.sourceName($0)] }),
      ["Add", "AddV2"].contains(sum.operation)
    else { return }
    for input in sum.inputs {
      let name = GraphFunction.sourceName(input)
      guard function.nodes[name]?.operation == "Const", case .array(let constant)? = values[name],
        let value = constant.scalar
      else { continue }
      epsilons.insert(value)
    }
  }

  /// How many elements of an input an operation reads. Of a variable's few entries are read by a
  /// product, and a few rows by a gathering.
  private func size(_ input: Value, in node: GraphFunction.Node) -> Int {
    switch input {
    case .array(let array): array.values.count
    case .variable(let variable):
      GraphOperation.readsWhole(node.operation)
        ? GraphArray.count(weights.shape(variable)) ?? 0 : 0
    case .several(let values): values.count
    case .other: 0
    }
  }

  /// Counts an array that was made.
  private mutating func kept(_ array: GraphArray) throws(CheckpointError) -> GraphArray {
    elementCount += array.values.count
    guard elementCount <= Self.maximumElementCount else {
      throw unsupported("its functions compute more than BERT does")
    }
    try spend(array.values.count)
    return array
  }

  /// Adds to the work, of which no step is as large as 2^40.
  private mutating func spend(_ steps: Int) throws(CheckpointError) {
    work += steps
    guard work <= Self.maximumWork else {
      throw unsupported("its functions compute more than BERT does")
    }
  }

  private func unsupported(_ reason: String) -> CheckpointError {
    .unsupported(path: graph.path, reason: reason)
  }
}
