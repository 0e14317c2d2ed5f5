import BERT
public import Bulk
import Checkpoints
public import EncoderContract
public import Models
public import Tokenizers
import UntrustedInput

/// What encodes, and what its map holds.
public struct EncodeSource {
  public var info: ModelInfo
  public var defaultMaxTokens: Int
  /// What the numbers depend on.
  public var description: [(name: String, value: String)]
  /// Of the columns, with a limit of tokens; nil: the folder's for `colbert`.
  public var encoder: ([Column], Int?) throws -> any RecordEncoder
}

/// How texts become rows, whoever encodes them.
public struct RowOptions: Sendable {
  public var truncation: Truncation
  /// Rows that each text gets; nil: as many as it has tokens.
  public var padTo: Int?
  /// What the texts are, for `colbert`.
  public var inputType = InputType.document
  /// Tokens that chunks of a text share; nil: texts are not cut into chunks.
  public var overlap: Int?

  public init(
    truncation: Truncation, padTo: Int? = nil, overlap: Int? = nil,
    inputType: InputType = .document
  ) {
    self.truncation = truncation
    self.inputType = inputType
    self.padTo = padTo
    self.overlap = overlap
  }
}

extension EncodeSource {
  /// A model, in this process.
  ///
  /// - Parameters:
  ///   - files: the model's folder.
  ///   - choices: what else the numbers depend on, besides the files, the precision and the kernels.
  /// - Throws: `BulkError` if a file cannot be read.
  public init(
    _ model: Model, _ files: ModelFiles, _ options: RowOptions,
    choices: (pooling: String, letterCase: String)
  ) throws(BulkError) {
    let encoder = model.encoder
    self.init(
      info: encoder.info, defaultMaxTokens: files.maxTokens,
      description: [
        ("model_sha256", try files.digest()), ("pooling", choices.pooling),
        ("precision", encoder.precision.rawValue), ("kernels", encoder.kernelSet),
        ("letter_case", choices.letterCase),
      ]
    ) { columns, limit in
      let own = model.colbertInput(options.inputType)?.maxTokens
      return LocalRecordEncoder(
        model, maxTokens: limit ?? own ?? files.maxTokens, options, columns: columns)
    }
  }
}

// MARK: - Columns

/// What a source does not have.
public enum ColumnError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownKey(String)
  case absentKey(OutputKey, because: String)
  case layers(blockCount: Int)
  /// A row of the vocabulary's size a token.
  case rowsOfVocabulary(OutputKey)

  public var description: String {
    switch self {
    case .unknownKey(let name):
      "there is no output key '\(name)'; there is "
        + OutputKey.allCases.map(\.rawValue).joined(separator: ", ")
    case .absentKey(.sentenceEmbedding, let reason):
      "there is no sentence_embedding: \(reason); --pooling mean makes one without"
    case .absentKey(let key, let reason):
      "there is no \(key.rawValue): \(reason); see --output-key"
    case .rowsOfVocabulary(let key):
      "\(key.rawValue) has a number for each token of the vocabulary, for every token of a text: it is "
        + "not written to files; ask a service's /encode for it with top_k"
    case .layers(let count): "--layers takes block indices from \(-count) to \(count - 1)"
    }
  }
}

extension EncodeSource {
  /// - Parameters:
  ///   - keys: with commas between.
  ///   - layers: the blocks of `encoder_outputs`, with commas between, negative ones from the end; nil:
  ///     all.
  public func columns(keys: String, layers: String?) throws(ColumnError) -> [Column] {
    var columns: [Column] = []
    for name in keys.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
      guard let key = OutputKey(rawValue: name) else { throw .unknownKey(name) }
      guard info.has(key) else { throw .absentKey(key, because: info.absence(of: key)) }
      guard key != .mlmLogits else { throw .rowsOfVocabulary(key) }
      let sources: [Column.Source] =
        switch key {
        case .sequenceOutput: [.block(info.blockCount - 1)]
        case .encoderOutputs: try chosen(layers).map { .block($0) }
        default: [.entry]
        }
      columns += sources.map { Column(key: key, source: $0, width: info.width(of: key)) }
    }
    return columns
  }

  private func chosen(_ layers: String?) throws(ColumnError) -> [Int] {
    let count = info.blockCount
    guard let layers else { return Array(0..<count) }
    return try layers.split(separator: ",", omittingEmptySubsequences: false)
      .map { item throws(ColumnError) in
        guard let index = Untrusted<Int>(item)?.within(-count..<count) else {
          throw .layers(blockCount: count)
        }
        return index < 0 ? index + count : index
      }
  }
}

extension ModelFiles {
  /// The SHA-256 of what answers depend on: the files of weights, and those that say how to use them.
  func digest() throws(BulkError) -> String {
    let digest = try Digest()
    for name in checkpoint.files.sorted() { try digest.add(fileAt: name, in: checkpoint.folder) }
    let endings = [".json", ".txt", ".model", ".pt", ".metadata"]
    for name in namesInFolder(path) ?? [] {
      // Sentence-transformers' modules have a folder each, with weights of their own; the rest have none.
      let inner = (namesInFolder("\(path)/\(name)") ?? [])
        .filter { inner in (endings + [".safetensors", ".bin"]).contains { inner.hasSuffix($0) } }
      for inner in inner { try digest.add(fileAt: "\(name)/\(inner)", in: path) }
      guard endings.contains(where: { name.hasSuffix($0) }) else { continue }
      try digest.add(fileAt: name, in: path)
    }
    return try digest.hexadecimal()
  }
}
