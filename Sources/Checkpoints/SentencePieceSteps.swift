/// The SentencePiece model of a SavedModel, and what is done to a text before: TF Hub's ALBERT, and models
/// that have its preprocessing in them.
///
/// Source: tf-models-official `export_tfhub_lib.py` and `text_layers.py`, `SentencepieceTokenizer`;
/// TensorFlow Text `sentencepiece_ops.cc`.
public struct SentencePieceSteps: Sendable {
  public let file: SentencePieceFile
  /// Whether non-spacing marks are dropped first.
  public let stripsDiacritics: Bool
  /// Whether case is folded then.
  public let lowercases: Bool

  /// The model beside an encoder, with the steps of `albert_en_preprocess`: nothing there says them.
  init(asset path: String, lowercases: Bool?) throws(CheckpointError) {
    file = try SentencePieceFile(path: path, for: .tensorFlow)
    stripsDiacritics = true
    self.lowercases = lowercases ?? true
  }

  /// The options of each are read anew; a model that takes texts has two.
  private static let maximumTokenizerCount = 16

  private static let tokenizers: Set = [
    "SentencepieceTokenizeOp", "SentencepieceTokenizeWithOffsetsOp",
  ]
  /// What changes texts, wherever it stands.
  private static let changes: Set = [
    "CaseFoldUTF8", "NormalizeUTF8", "NormalizeUTF8WithOffsetsMap", "RegexReplace",
    "StaticRegexReplace", "StringLower", "StringStrip", "StringUpper", "Substr", "UnicodeTranscode",
  ]

  /// What the functions of a model do with texts; nil if none makes tokens with SentencePiece.
  init?(_ graph: SavedModelGraph) throws(CheckpointError) {
    let functions = try graph.functions(with: Self.tokenizers)
    guard !functions.isEmpty else { return nil }
    let names = Set(functions.map(\.name))
    for other in try graph.functions(with: Self.changes) where !names.contains(other.name) {
      let found = Set(other.nodes.values.map(\.operation)).intersection(Self.changes).sorted()
      throw Self.unsupported(graph, "changes texts (\(found[0])) in a function of its own")
    }
    var found: Set<[String]> = []
    var count = 0
    for function in functions {
      for node in function.nodes.values where Self.tokenizers.contains(node.operation) {
        count += 1
        guard count <= Self.maximumTokenizerCount else {
          throw Self.unsupported(graph, "makes tokens in over \(Self.maximumTokenizerCount) places")
        }
        try Self.checkOptions(of: node, in: function, graph)
        found.insert(try Self.steps(before: node, in: function, graph))
      }
    }
    guard found.count == 1, let steps = found.first else {
      throw Self.unsupported(graph, "has \(found.count) ways to make tokens of texts")
    }
    switch steps {
    case [], ["CaseFoldUTF8"]: stripsDiacritics = false
    case ["NormalizeUTF8", "StaticRegexReplace"],
      ["NormalizeUTF8", "StaticRegexReplace", "CaseFoldUTF8"]:
      stripsDiacritics = true
    default:
      throw Self.unsupported(
        graph, "does \(steps.joined(separator: ", ")) to texts in this order")
    }
    lowercases = steps.last == "CaseFoldUTF8"
    file = try SentencePieceFile(Self.model(of: graph), for: .tensorFlow)
  }

  private static func model(of graph: SavedModelGraph) throws(CheckpointError) -> FileBytes {
    var places: [Range<Int>] = []
    for function in try graph.functions(with: ["SentencepieceOp"]) {
      for node in function.nodes.values where node.operation == "SentencepieceOp" {
        if let place = try function.bytes("model", of: node) { places.append(place) }
      }
    }
    guard let first = places.first,
      places.allSatisfy({ graph.file[$0].elementsEqual(graph.file[first]) })
    else {
      throw unsupported(
        graph, "has \(places.isEmpty ? "no" : "more than one") SentencePiece model in its graph")
    }
    guard first.count <= SentencePieceFile.maximumSize else {
      throw .file(
        path: graph.path,
        reason: "its SentencePiece model takes more than \(SentencePieceFile.maximumSize) bytes")
    }
    return FileBytes(path: graph.path, start: first.lowerBound, bytes: Array(graph.file[first]))
  }

  private static func checkOptions(
    of node: GraphFunction.Node, in function: GraphFunction, _ graph: SavedModelGraph
  ) throws(CheckpointError) {
    let options: [(Int, String, [Double])] = [
      (2, "nbest_size", [0, 1]), (4, "add_bos", [0]), (5, "add_eos", [0]), (6, "reverse", [0]),
    ]
    for (index, name, values) in options {
      guard node.inputs.indices.contains(index),
        let source = function.source(of: node.inputs[index]), source.operation == "Const",
        let value = try function.constant(source)?.values, value.count == 1
      else { throw unsupported(graph, "has a \(name) that is no constant") }
      guard values.contains(value[0]) else {
        throw unsupported(graph, "has \(name) \(value[0])")
      }
    }
  }

  /// The operations on a text before it is tokenized, in order.
  private static func steps(
    before node: GraphFunction.Node, in function: GraphFunction, _ graph: SavedModelGraph
  ) throws(CheckpointError) -> [String] {
    var steps: [String] = []
    var node = node
    var index = 1
    while node.inputs.indices.contains(index), let source = function.source(of: node.inputs[index])
    {
      (node, index) = (source, 0)
      let form = try function.string("normalization_form", of: node)
      let pattern = try function.string("pattern", of: node)
      let rewrite = try function.string("rewrite", of: node)
      let replacesAll =
        try function.number("replace_global", of: node) != 0
        || node.attributes["replace_global"] == nil
      let isKnown =
        switch node.operation {
        case "CaseFoldUTF8", "Identity": true
        case "NormalizeUTF8": form == "NFD"
        case "StaticRegexReplace":
          pattern == #"\p{Mn}"# && rewrite.isEmpty && replacesAll
        default: false
        }
      // A loop would have no end.
      guard isKnown, steps.count < 8 else {
        throw unsupported(
          graph, "does \(node.operation) (node \"\(node.name.prefix(100))\") to texts")
      }
      steps.append(node.operation)
    }
    return steps.reversed().filter { $0 != "Identity" }
  }

  private static func unsupported(_ graph: SavedModelGraph, _ what: String) -> CheckpointError {
    .unsupported(
      path: graph.path,
      reason:
        "its preprocessing \(what), which is not supported. Supported: NFD and the removal of "
        + "\\p{Mn}, both or neither; then CaseFoldUTF8 or not; then SentencepieceTokenizeOp without "
        + "sampling, added tokens or reversal")
  }
}
