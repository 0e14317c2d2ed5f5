import BERT
import Bulk
import Checkpoints
import Dispatch
import OutputMap
import Synchronization
import WordPiece

/// Encodes records in this process: texts of like lengths together, on all threads.
struct LocalRecordEncoder: RecordEncoder {
  /// Most bytes of a window's results.
  private static let windowBytes = 64 << 20
  private static let mostRecords = 4096

  let encoder: Encoder
  let tokenizer: Tokenizer
  let maxTokens: Int
  let truncation: Truncation
  let padTo: Int?
  let selection: OutputSelection
  /// Before every text, if a `sentence_embedding` is asked for.
  let prompt: String?
  let windowSize: Int

  /// - Parameter columns: what is asked for, whose size bounds the window.
  init(
    _ encoder: Encoder, _ tokenizer: Tokenizer, maxTokens: Int, truncation: Truncation,
    padTo: Int?, prompt: String?, columns: [Column]
  ) {
    self.encoder = encoder
    self.tokenizer = tokenizer
    self.maxTokens = maxTokens
    self.truncation = truncation
    self.padTo = padTo
    var selection = OutputSelection()
    var numbers = 0
    for column in columns {
      switch column.source {
      case .pooled: selection.pooled = true
      case .sentence: selection.sentence = true
      case .block(let block): selection.blocks.insert(block)
      }
      numbers += column.block == nil ? column.width : maxTokens * column.width
    }
    self.selection = selection
    self.prompt = selection.sentence ? prompt : nil
    windowSize = max(16, min(Self.mostRecords, Self.windowBytes / (4 * max(1, numbers))))
  }

  func encode(
    _ inputs: [TokenizerInput]
  ) throws(BulkError) -> [Result<EncodedRecord, BadRecord>] {
    let tokenized = tokenize(inputs)
    var sequences: [Int: EncodedSequence] = [:]
    for batch in batches(tokenized) {
      var packed = PackedBatch()
      for index in batch {
        if case .success(let text) = tokenized[index] {
          packed.append(text.sequence, for: selection)
        }
      }
      do {
        for (index, sequence) in zip(batch, try encoder.encodeAndWait(packed)) {
          sequences[index] = sequence
        }
      } catch {
        throw BulkError(error.description)
      }
    }
    return tokenized.enumerated().map { index, result in
      result.flatMap { text in
        guard let sequence = sequences[index] else {
          return .failure(BadRecord("it was not encoded"))
        }
        return .success(
          EncodedRecord(
            sequence: sequence, tokenCount: text.sequence.attendedCount, truncated: text.truncated))
      }
    }
  }

  /// Indices of texts that are encoded together: the longest first, as many as fill a pass.
  private func batches(_ tokenized: [Result<Tokenization, BadRecord>]) -> [[Int]] {
    let lengths = tokenized.map { (try? $0.get().sequence.count) ?? 0 }
    let order = lengths.indices.filter { lengths[$0] > 0 }
      .sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    var batches: [[Int]] = []
    var rows = 0
    for index in order {
      if batches.isEmpty || rows + lengths[index] > BenchShape.batchRows {
        batches.append([])
        rows = 0
      }
      batches[batches.count - 1].append(index)
      rows += lengths[index]
    }
    return batches
  }

  /// On as many threads as encode, which wait meanwhile.
  private func tokenize(_ inputs: [TokenizerInput]) -> [Result<Tokenization, BadRecord>] {
    let parts = Mutex([Int: [Result<Tokenization, BadRecord>]]())
    let count = encoder.laneCount
    DispatchQueue.concurrentPerform(iterations: count) { part in
      let range = inputs.count * part / count..<inputs.count * (part + 1) / count
      let results = inputs[range].map(tokenize)
      parts.withLock { $0[part] = results }
    }
    return parts.withLock { parts in (0..<count).flatMap { parts[$0] ?? [] } }
  }

  private func tokenize(_ input: TokenizerInput) -> Result<Tokenization, BadRecord> {
    guard let input = input.prompted(prompt) else {
      return .failure(BadRecord("the folder's default prompt is for single texts and no pairs"))
    }
    if case .pair = input,
      tokenizer.highestType(ofPairs: true) >= encoder.configuration.typeCount
    {
      return .failure(BadRecord("this model has one segment type, so it takes no pairs"))
    }
    do {
      return .success(
        try tokenizer.tokenize(input, maxTokens: maxTokens, truncation: truncation, padTo: padTo))
    } catch {
      return .failure(BadRecord(error.description))
    }
  }
}
