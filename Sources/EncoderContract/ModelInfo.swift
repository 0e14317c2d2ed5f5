/// What a model's output map holds, and which texts it takes: what callers ask of a model besides
/// numbers.
public struct ModelInfo: Sendable, Equatable {
  /// H, numbers of a token.
  public var hiddenSize: Int
  /// L.
  public var blockCount: Int
  /// The most positions of one text, special tokens included.
  public var positionCount: Int
  /// Segments of a text: 2 if there are pairs.
  public var typeCount: Int
  /// Numbers of a row of each key that the map has.
  public private(set) var widths: [OutputKey: Int]
  /// Why the map has no other keys: `the model has no pooler`.
  private var absences: [OutputKey: String] = [:]
  /// Names of the N labels of `logits` or `token_logits`; empty without a head.
  public var labels: [String] = []
  /// What makes `probabilities` of `logits`; nil if nothing does.
  public var scoreFunction: ScoreFunction?

  /// A model whose map has the outputs of its blocks.
  public init(hiddenSize: Int, blockCount: Int, positionCount: Int, typeCount: Int = 2) {
    self.hiddenSize = hiddenSize
    self.blockCount = blockCount
    self.positionCount = positionCount
    self.typeCount = typeCount
    widths = [.sequenceOutput: hiddenSize, .encoderOutputs: hiddenSize]
  }

  /// Adds a key to the map, or takes it out where `width` is nil.
  public mutating func set(_ key: OutputKey, width: Int?, because absence: String = "") {
    widths[key] = width
    absences[key] = width == nil ? absence : nil
  }

  /// The keys of the map, in the order in which the README names them.
  public var keys: [OutputKey] { OutputKey.allCases.filter { widths[$0] != nil } }

  /// What `all` asks for: every key but `mlm_logits`, whose V numbers a token are asked for by name.
  public var usualKeys: [OutputKey] { keys.filter { $0 != .mlmLogits } }

  /// Numbers of a row of an entry; 0 if the map does not have it.
  public func width(of key: OutputKey) -> Int { widths[key] ?? 0 }

  public func has(_ key: OutputKey) -> Bool { widths[key] != nil }

  /// Sizes of an entry, the width of a row last; nil for what is not known.
  public func shape(of key: OutputKey, blocks: Int?, texts: Int?, tokens: Int?) -> [Int?] {
    switch key.part {
    case .text: [texts, width(of: key)]
    case .token: [texts, tokens, width(of: key)]
    case .tokenOfBlock: [blocks, texts, tokens, width(of: key)]
    }
  }

  /// Why the map does not have a key: `the model has no pooler`.
  public func absence(of key: OutputKey) -> String { absences[key] ?? "the model has none" }
}
