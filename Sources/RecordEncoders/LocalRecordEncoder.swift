import Bulk
import EncoderContract
import Models
import Tokenizers

/// Encodes records in this process: texts of like lengths together, on all threads.
struct LocalRecordEncoder: RecordEncoder {
  /// Most bytes of a window's results.
  private static let resultBytes = 64 << 20
  private static let mostRecords = 4096

  let model: Model
  let maxTokens: Int
  let options: RowOptions
  let selection: OutputSelection
  let windowSize: Int
  let windowBytes: Int

  /// - Parameter columns: what is asked for, whose size bounds the window.
  init(_ model: Model, maxTokens: Int, _ options: RowOptions, columns: [Column]) {
    self.model = model
    self.maxTokens = maxTokens
    self.options = options
    var selection = OutputSelection()
    var numbers = 0
    let mostRows = max(
      maxTokens, model.colbertInput(options.inputType)?.expansion?.length ?? 0)
    for column in columns {
      switch column.source {
      case .entry: selection.insert(column.key)
      case .block(let block): selection.blocks.insert(block)
      }
      numbers += column.hasRowPerToken ? mostRows * column.width : column.width
    }
    self.selection = selection
    let rows = Self.resultBytes / (4 * max(1, numbers))
    windowSize = max(16, min(Self.mostRecords, rows))
    // A token is mostly a byte or more, and a chunk begins a quarter of its length behind another at
    // least, if a prompt leaves it half of its tokens: then the results of a window are bounded.
    windowBytes =
      options.overlap == nil
      ? RecordReader.maxRecordBytes
      : min(RecordReader.maxRecordBytes, max(16, rows) * max(1, maxTokens / 4))
  }

  func encode(
    _ inputs: [TokenizerInput]
  ) throws(BulkError) -> [Result<[EncodedRecord], BadRecord>] {
    do {
      let results: [Result<[EncodedText], InputError>]
      if let overlap = options.overlap {
        results = try model.encodeChunks(
          of: inputs, for: selection, maxTokens: maxTokens, overlap: overlap)
      } else {
        results = try model.encode(
          inputs, for: selection, maxTokens: maxTokens, truncation: options.truncation,
          padTo: options.padTo, as: options.inputType
        ).map { $0.map { [$0] } }
      }
      return results.map { result in
        result.map { $0.map(Self.record) }.mapError { BadRecord($0.description) }
      }
    } catch {
      throw BulkError(error.description)
    }
  }

  private static func record(_ text: EncodedText) -> EncodedRecord {
    EncodedRecord(
      sequence: text.sequence, tokenCount: text.tokenCount, truncated: text.truncated,
      bytes: text.bytes)
  }
}
