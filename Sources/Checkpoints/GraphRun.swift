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
  }

  let graph: SavedModelGraph
  let weights: ProbeWeights
  /// What is added under square roots: the epsilons of layer norms.
  private(set) var epsilons: Set<Double> = []
  /// How many elements have been computed.
  private var work = 0

  private static let maximumWork = 1 << 26
  private static let maximumDepth = 64

  init(_ graph: SavedModelGraph, _ weights: ProbeWeights) {
    self.graph = graph
    self.weights = weights
  }

  /// The results of a function.
  mutating func call(
    _ name: String, _ arguments: [Value], depth: Int = 0
  ) throws(CheckpointError) -> [Value] {
    guard depth < Self.maximumDepth, let function = try graph.function(name) else {
      throw unsupported("it has no function \"\(name.prefix(100))\", or calls it without end")
    }
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
    var pending = [Self.node(result)]
    var begun: Set<String> = []
    while let name = pending.last {
      guard values[name] == nil else {
        pending.removeLast()
        continue
      }
      guard let node = function.nodes[name] else {
        throw unsupported("\(function.name) has no node \"\(name.prefix(100))\"")
      }
      let missing = node.inputs.map(Self.node).filter { values[$0] == nil }
      guard missing.isEmpty else {
        guard begun.insert(name).inserted else {
          throw unsupported("the node \(name) depends on itself")
        }
        pending += missing
        continue
      }
      var inputs: [Value] = []
      for input in node.inputs { inputs.append(try value(input, in: values, of: function)) }
      values[name] = try run(node, inputs, of: function, depth)
      pending.removeLast()
    }
  }

  /// `node:output:3` without what follows the name.
  private static func node(_ input: String) -> String {
    String(input.prefix { $0 != ":" })
  }

  private func value(
    _ input: String, in values: [String: Value], of function: GraphFunction
  ) throws(CheckpointError) -> Value {
    guard let value = values[Self.node(input)] else {
      throw unsupported("\(function.name) has no node \"\(input.prefix(100))\"")
    }
    guard case .several(let results) = value else { return value }
    let place = input.split(separator: ":").last.flatMap { Int($0) } ?? 0
    guard results.indices.contains(place) else {
      throw unsupported("the node \(input.prefix(100)) has \(results.count) results")
    }
    return results[place]
  }

  private mutating func run(
    _ node: GraphFunction.Node, _ inputs: [Value], of function: GraphFunction, _ depth: Int
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
      return .array(array)
    default:
      let operation = GraphOperation(function: function, node: node, weights: weights)
      guard let result = try operation.result(inputs) else { break }
      if node.operation == "Rsqrt" || node.operation == "Sqrt" {
        noteEpsilon(node, of: function)
      }
      work += result.values.count
      guard work <= Self.maximumWork else {
        throw unsupported("its functions compute more than BERT does")
      }
      return .array(result)
    }
    throw unsupported(
      "the node \(node.name) (\(node.operation)) is not computed: it is no operation of BERT's "
        + "encoder, or has unknown options")
  }

  /// The constant of the sum that a square root is taken of.
  private mutating func noteEpsilon(_ root: GraphFunction.Node, of function: GraphFunction) {
    guard let sum = root.inputs.first.flatMap({ function.nodes[Self.node($0)] }),
      ["Add", "AddV2"].contains(sum.operation)
    else { return }
    for input in sum.inputs {
      guard let node = function.nodes[Self.node(input)], node.operation == "Const",
        let value = try? function.constant(node)?.scalar
      else { continue }
      epsilons.insert(value)
    }
  }

  private func unsupported(_ reason: String) -> CheckpointError {
    .unsupported(path: graph.path, reason: reason)
  }
}
