import TestSupport
import Testing

@testable import Checkpoints

struct GraphTests {
  private func array(_ shape: [Int], _ random: inout SeededGenerator) -> GraphArray {
    let count = shape.reduce(1, *)
    return GraphArray(shape, (0..<count).map { _ in Double.random(in: -1...1, using: &random) })
  }

  /// Against the sums written out, the other operand whole and as few entries.
  @Test func einsumIsASumOfProducts() throws {
    var random = SeededGenerator(seed: 7)
    let (left, right) = (array([2, 3, 4], &random), array([4, 5, 2], &random))
    let found = try #require(
      GraphArray.einsum(
        (Array("abc"), Array("cde"), Array("abde")), left, right.entries, right.shape))
    #expect(found.shape == [2, 3, 5, 2])
    for (index, value) in found.values.enumerated() {
      let (a, b, d, e) = (index / 30, index / 10 % 3, index / 2 % 5, index % 2)
      let expected = (0..<4).reduce(0.0) { sum, c in
        sum + left.values[(a * 3 + b) * 4 + c] * right.values[(c * 5 + d) * 2 + e]
      }
      #expect(abs(value - expected) < 1e-12)
    }
    for labels in [("ab", "cde", "abde"), ("abc", "cdd", "abd"), ("abc", "bde", "acde")] {
      let labels = (Array(labels.0), Array(labels.1), Array(labels.2))
      #expect(GraphArray.einsum(labels, left, right.entries, right.shape) == nil)
    }
  }

  @Test func arraysBroadcastAsTensorFlows() throws {
    let column = GraphArray([2, 1], [1, 2])
    let row = GraphArray([3], [10, 20, 30])
    let sum = try #require(GraphArray.combine(column, row, +))
    #expect(sum.shape == [2, 3] && sum.values == [11, 21, 31, 12, 22, 32])
    #expect(GraphArray.combine(GraphArray([2], [1, 2]), row, +) == nil)
    #expect(sum.reduced([-1], keepsAxes: true) { $0.reduce(0, +) }?.values == [63, 66])
    #expect(sum.transposed([1, 0])?.values == [11, 12, 21, 22, 31, 32])
    #expect(sum.reshaped([-1, 2])?.shape == [3, 2])
    #expect(sum.reshaped([4, -1]) == nil)
    #expect(sum.rows(GraphArray([2], [1, 0]))?.values == [12, 22, 32, 11, 21, 31])
    #expect(sum.rows(GraphArray([1], [2])) == nil)
  }

  /// Sizes that a file may claim.
  @Test func impossibleSizesAreRefused() {
    #expect(GraphArray.count([1 << 40, 1 << 40]) == nil)
    #expect(GraphArray.count([0, 1 << 40, 1 << 40]) == nil)
    #expect(GraphArray.count([-1]) == nil)
    #expect(GraphArray.count([0, 7]) == 0)
    #expect(GraphArray([1], [.infinity]).integers == nil)
    #expect(GraphArray([1], [-0x1p63]).integers == nil)
    #expect(GraphArray([1], [0.5]).integers == nil)
    #expect(GraphArray([1], [3]).broadcast(to: [1 << 30]) == nil)
  }

  private func message(_ change: (inout [UInt8]) throws -> Void) throws -> String {
    let folder = try Fixtures.copy("micro/saved_model")
    var bytes = try #require(try Fixtures.files("micro/saved_model")["saved_model.pb"])
    try change(&bytes)
    try folder.write(bytes, to: "saved_model.pb")
    return try #require(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
      .message
  }

  private func replace(
    _ old: String, _ new: String, in bytes: inout [UInt8], all: Bool = true
  ) throws {
    precondition(old.utf8.count == new.utf8.count)
    var count = 0
    while let range = bytes.firstRange(of: Array(old.utf8)), all || count == 0 {
      bytes.replaceSubrange(range, with: new.utf8)
      count += 1
    }
    try #require(count > 0, "there is no \(old)")
  }

  @Test func anUnknownOperationIsNamed() throws {
    let text = try message { try replace("SquaredDifference", "SquaredDifferense", in: &$0) }
    #expect(text.contains("SquaredDifferense"), "\(text)")
    #expect(text.contains("no operation of BERT's encoder"), "\(text)")
  }

  @Test func anotherActivationIsRefused() throws {
    // The feed-forward's tanh comes before the pooler's.
    let text = try message { try replace("\u{12}\u{4}Tanh", "\u{12}\u{4}Sqrt", in: &$0) }
    #expect(
      text.contains("with one of the activations gelu_erf, gelu_tanh, relu, silu, are supported"),
      "\(text)")
  }

  /// A field of a protobuf message that holds bytes.
  private func field(_ number: UInt8, _ parts: [UInt8]...) -> [UInt8] {
    let content = parts.flatMap { $0 }
    return varint(UInt64(number) << 3 | 2) + varint(UInt64(content.count)) + content
  }

  private func varint(_ number: UInt64) -> [UInt8] {
    number < 0x80 ? [UInt8(number)] : [UInt8(number & 0x7f) | 0x80] + varint(number >> 7)
  }

  /// A function without arguments, of one node, in a graph of nothing else.
  private func call(_ operation: String, calling callee: String, input: String) throws -> String {
    func text(_ text: String) -> [UInt8] { Array(text.utf8) }
    let attribute = field(5, field(1, text("f")), field(2, field(10, field(1, text(callee)))))
    let function = [
      field(1, field(1, text("f")), field(3, field(1, text("result")))),
      field(
        3, field(1, text("node")), field(2, text(operation)), field(3, text(input)), attribute),
      field(4, field(1, text("result")), field(2, text("node:output:0"))),
    ].flatMap { $0 }
    let folder = try TemporaryFolder()
    let path = try folder.write(
      field(2, field(2, field(2, field(1, function)))), to: "saved_model.pb")
    var run = GraphRun(try SavedModelGraph(path: path), ProbeWeights())
    return try #require(throws: CheckpointError.self) { try run.call("f", []) }.message
  }

  @Test func callsAndNodesWithoutEndAreRefused() throws {
    #expect(try call("PartitionedCall", calling: "f", input: "^x").contains("without end"))
    #expect(try call("PartitionedCall", calling: "g", input: "^x").contains("no function \"g\""))
    #expect(try call("Identity", calling: "", input: "node").contains("depends on itself"))
    #expect(try call("Identity", calling: "", input: "absent").contains("no node \"absent\""))
  }
  /// A node of a function, with an attribute for its operation.
  private func node(
    _ name: String, _ operation: String, _ inputs: [String] = [], _ attribute: [UInt8] = []
  ) -> [UInt8] {
    let texts = inputs.map { field(3, Array($0.utf8)) }.joined()
    return field(
      3, field(1, Array(name.utf8)), field(2, Array(operation.utf8)), Array(texts), attribute)
  }

  /// A constant of one value and of any shape.
  private func constant(_ name: String, _ shape: [UInt64]) -> [UInt8] {
    let dimensions = shape.map { field(2, [1 << 3] + varint($0)) }.joined()
    let tensor = field(8, [1 << 3, 1], field(2, Array(dimensions)), field(5, [0, 0, 0x80, 0x3f]))
    return node(name, "Const", [], field(5, field(1, Array("value".utf8)), field(2, tensor)))
  }

  /// The message about a graph of these functions, each with the nodes given and `result` as its
  /// result; the first one is run.
  private func message(_ functions: [(name: String, nodes: [[UInt8]])]) throws -> String {
    func text(_ text: String) -> [UInt8] { Array(text.utf8) }
    let library = functions.map { name, nodes in
      let signature = field(1, field(1, text(name)), field(3, field(1, text("out"))))
      let returned = field(4, field(1, text("out")), field(2, text("result:output:0")))
      return field(1, signature, Array(nodes.joined()), returned)
    }
    let folder = try TemporaryFolder()
    let path = try folder.write(
      field(2, field(2, field(2, Array(library.joined())))), to: "saved_model.pb")
    var run = GraphRun(try SavedModelGraph(path: path), ProbeWeights())
    return try #require(throws: CheckpointError.self) { try run.call(functions[0].name, []) }
      .message
  }

  /// Few bytes that ask for 2^60 calls of nothing.
  @Test(.timeLimit(.minutes(1))) func callsAreWork() throws {
    let functions = (0..<60).map { index in
      let call = field(
        5, field(1, Array("f".utf8)), field(2, field(10, field(1, Array("f\(index + 1)".utf8)))))
      return (
        name: "f\(index)",
        nodes: [
          node("a", "PartitionedCall", [], call), node("b", "PartitionedCall", [], call),
          node("result", "IdentityN", ["a", "b"]),
        ]
      )
    }
    let text = try message(functions + [("f60", [constant("result", [])])])
    #expect(text.contains("compute more than BERT does"), "\(text)")
  }

  /// Few bytes that ask for gigabytes.
  @Test func constantsAreWork() throws {
    let constants = (0..<20).map { constant("c\($0)", [1 << 22]) }
    let all = node("result", "IdentityN", (0..<20).map { "c\($0)" })
    let text = try message([("f", constants + [all])])
    #expect(text.contains("compute more than BERT does"), "\(text)")
  }

  /// Small results of large inputs.
  @Test(.timeLimit(.minutes(1))) func inputsAreWork() throws {
    let nodes = (0..<1000).map { node("n\($0)", "Shape", ["c"]) }
    let all = node("result", "IdentityN", (0..<1000).map { "n\($0)" })
    let text = try message([("f", [constant("c", [1 << 22])] + nodes + [all])])
    #expect(text.contains("compute more than BERT does"), "\(text)")
  }
}
