public import Bulk
import Checkpoints
import EncoderContract
public import HTTPClient
import JSON
import Tokenizers
import UntrustedInput

extension EncodeSource {
  /// A service, as its `/info` describes it.
  ///
  /// - Parameters:
  ///   - url: the service's, for messages.
  ///   - concurrency: requests at a time.
  /// - Throws: `BulkError` if it does not answer as a bert-server.
  public init(
    _ client: HTTPClient, url: String, concurrency: Int, _ options: RowOptions
  ) throws(BulkError) {
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
    var model = ModelInfo(
      hiddenSize: hiddenSize, blockCount: blockCount, positionCount: positionCount)
    for key in OutputKey.allCases {
      // Older servers do not say the widths.
      let width =
        key == .sentenceEmbedding ? size("shape", "sentence_size", Limits.vectorSize) : hiddenSize
      let isThere = keys.contains(.string(key.rawValue))
      model.set(
        key, width: isThere ? size("widths", key.rawValue, Limits.vectorSize) ?? width : nil,
        because: "the service does not have it")
    }
    self.init(
      info: model, defaultMaxTokens: maxTokens,
      description: [
        ("model", text("model")), ("precision", text("precision")), ("kernels", text("kernels")),
      ]
    ) { columns, limit in
      var query = "format=base64&truncate=\(options.truncation)"
      query += options.padTo.map { "&seq_length=\($0)" } ?? limit.map { "&max_tokens=\($0)" } ?? ""
      let isColBERT = columns.contains { $0.key == .colbert }
      if isColBERT { query += "&input_type=\(options.inputType)" }
      let keys = OutputKey.allCases.filter { key in columns.contains { $0.key == key } }
      query += "&output_key=" + keys.map(\.rawValue).joined(separator: ",")
      let layers = columns.filter { $0.key == .encoderOutputs }.compactMap(\.block)
      if !layers.isEmpty { query += "&layers=" + layers.map(String.init).joined(separator: ",") }
      return RemoteRecordEncoder(
        client: client, concurrency: concurrency, query: query, columns: columns,
        rowCounts: options.padTo.map { $0...$0 }
          ?? 1...(isColBERT ? positionCount : limit ?? positionCount))
    }
  }
}
