import ArgumentParser
import BERT
import Bulk
import Checkpoints
import JSON
import Models
import OutputMap
import Settings
import UntrustedInput
import WordPiece

/// What encodes, and what its map holds.
struct EncodeSource {
  var hiddenSize: Int
  var blockCount: Int
  var positionCount: Int
  var hasPooler: Bool
  /// Keys that the folder's own framework does not give.
  var absentKeys: Set<OutputKey> = []
  var sentenceSize: Int?
  var defaultMaxTokens: Int
  /// What the numbers depend on.
  var description: [(name: String, value: String)]
  /// Of the columns, with a limit of tokens.
  var encoder: ([Column], Int) throws -> any RecordEncoder
}

extension EncodeCommand {
  /// The model folder, in this process.
  func localSource() throws -> EncodeSource {
    let files = try ModelFiles(flags.model, lowercases: letterCase.value.lowercases)
    let sentence = SentenceModules(files.sentenceModules, pooling: pooling)
    let configuration = files.checkpoint.configuration
    let model = try flags.load(files, sentence: sentence)
    for note in files.notes(model.tokenizer) { printError(note.value) }
    let encoder = model.encoder
    return EncodeSource(
      hiddenSize: configuration.hiddenSize, blockCount: configuration.blockCount,
      positionCount: configuration.positionCount, hasPooler: encoder.hasPooler,
      absentKeys: files.checkpoint.absentKeys, sentenceSize: encoder.sentenceSize,
      defaultMaxTokens: files.maxTokens,
      description: [
        ("model_sha256", try files.digest()),
        ("pooling", pooling?.rawValue ?? "the folder's"),
        ("precision", encoder.precision.rawValue), ("kernels", encoder.kernelSet),
        ("letter_case", letterCase.value.rawValue),
      ]
    ) { columns, limit in
      LocalRecordEncoder(
        model, maxTokens: limit, truncation: truncate, padTo: seqLength, overlap: chunkOverlap,
        columns: columns)
    }
  }

  /// A service, as its `/info` describes it.
  func remoteSource(_ url: String) throws -> EncodeSource {
    guard pooling == nil, flags.precision == .float32, flags.kernels == "auto", flags.threads == 0,
      letterCase.value == .auto
    else {
      throw ValidationError(
        "--pooling, --precision, --kernels, --threads and --letter-case are the service's own")
    }
    guard chunkOverlap == nil else {
      throw ValidationError("--chunk-overlap needs the model folder; it is not for --server")
    }
    guard 1...256 ~= concurrency else { throw ValidationError("--concurrency is 1 to 256") }
    let keys = Environment.value("BERT_SERVER_API_KEYS")?.split(separator: ",")
    let client = try HTTPClient(url: url, key: keys?.first.map(String.init))
    let asking = RemoteRecordEncoder(
      client: client, concurrency: concurrency, query: "", columns: [], rowCounts: 1...1)
    let answer = try asking.ask("GET", "/info")
    guard answer.status == 200, let info = try? JSONParser.parse(answer.body) else {
      throw BulkError(
        "\(url)/info answers \(answer.status): \(RemoteRecordEncoder.message(answer))")
    }
    func text(_ name: String) -> String {
      if case .string(let text)? = info[name] { text } else { "" }
    }
    typealias Limits = ModelConfiguration.Limits
    func size(_ group: String, _ name: String, _ range: ClosedRange<Int>) -> Int? {
      if case .integer(let size)? = info[group]?[name] { size.within(range) } else { nil }
    }
    guard let hiddenSize = size("shape", "hidden_size", Limits.hiddenSize),
      let blockCount = size("shape", "blocks", Limits.blockCount),
      let positionCount = size("shape", "positions", Limits.positionCount),
      let maxTokens = size("limits", "max_tokens", 3...positionCount),
      case .array(let keys)? = info["output_keys"]
    else { throw BulkError("\(url) is not a bert-server: its /info has no shape") }
    return EncodeSource(
      hiddenSize: hiddenSize, blockCount: blockCount, positionCount: positionCount,
      hasPooler: keys.contains("default"),
      sentenceSize: size("shape", "sentence_size", Limits.hiddenSize),
      defaultMaxTokens: maxTokens,
      description: [
        ("model", text("model")), ("precision", text("precision")), ("kernels", text("kernels")),
      ]
    ) { columns, limit in
      var query = "format=base64&truncate=\(truncate)"
      query += seqLength.map { "&seq_length=\($0)" } ?? "&max_tokens=\(limit)"
      let keys = OutputKey.allCases.filter { key in columns.contains { $0.key == key } }
      query += "&output_key=" + keys.map(\.rawValue).joined(separator: ",")
      let layers = columns.filter { $0.key == .encoderOutputs }.compactMap(\.block)
      if !layers.isEmpty { query += "&layers=" + layers.map(String.init).joined(separator: ",") }
      return RemoteRecordEncoder(
        client: client, concurrency: concurrency, query: query, columns: columns,
        rowCounts: seqLength.map { $0...$0 } ?? 1...limit)
    }
  }

  func columns(of source: EncodeSource) throws -> [Column] {
    let (blocks, width) = (source.blockCount, source.hiddenSize)
    var columns: [Column] = []
    for name in outputKey.split(separator: ",", omittingEmptySubsequences: false) {
      guard let key = OutputKey(rawValue: String(name)) else {
        let keys = OutputKey.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("there is no output key '\(name)'; there is \(keys)")
      }
      guard !source.absentKeys.contains(key) else {
        throw ValidationError("this model's export has no \(name)")
      }
      switch key {
      case .default, .pooledOutput:
        guard source.hasPooler else {
          throw ValidationError("this model has no pooler, so no \(name); see --output-key")
        }
        columns.append(Column(key: key, source: .pooled, width: width))
      case .sequenceOutput:
        columns.append(Column(key: key, source: .block(blocks - 1), width: width))
      case .encoderOutputs:
        for block in try chosenLayers(blocks) {
          columns.append(Column(key: key, source: .block(block), width: width))
        }
      case .sentenceEmbedding:
        guard let size = source.sentenceSize else {
          throw ValidationError(
            "the folder has no sentence-transformers modules; --pooling mean makes a "
              + "sentence_embedding without")
        }
        columns.append(Column(key: key, source: .sentence, width: size))
      }
    }
    return columns
  }

  private func chosenLayers(_ count: Int) throws -> [Int] {
    guard let layers else { return Array(0..<count) }
    return try layers.split(separator: ",", omittingEmptySubsequences: false).map { item in
      guard let index = Untrusted<Int>(item)?.within(-count..<count) else {
        throw ValidationError("--layers takes block indices from \(-count) to \(count - 1)")
      }
      return index < 0 ? index + count : index
    }
  }

  func check(_ columns: [Column]) throws {
    guard Set(columns.map(\.name)).count == columns.count else {
      throw ValidationError("--output-key and --layers name an entry twice")
    }
    if layers != nil, !columns.contains(where: { $0.key == .encoderOutputs }) {
      throw ValidationError("--layers picks blocks of encoder_outputs; add it to --output-key")
    }
    if let column = columns.first(where: { $0.block != nil }), chunkOverlap != nil {
      throw ValidationError(
        "--chunk-overlap is for vectors of a text, and \(column.key.rawValue) has one a token")
    }
    guard format == .npy else { return }
    if columns.count > 1 {
      throw ValidationError("npy holds one entry a file; ask for one, or for --format safetensors")
    }
    if dtype == .bfloat16 {
      throw ValidationError("npy has no bfloat16; ask for float16, or for --format safetensors")
    }
    if columns[0].block != nil, seqLength == nil {
      throw ValidationError(
        "npy holds rectangles, and texts differ in length: add --seq-length, or ask for --format "
          + "safetensors")
    }
  }
}
