public import EncoderContract
import JSON
public import TensorFormats

/// How the output is written.
public enum OutputFormat: String, CaseIterable, Sendable {
  /// One tensor a file.
  case npy
  case safetensors
  /// An object a record.
  case jsonl
}

/// One tensor of the output, a row or some rows a record.
public struct Column: Sendable {
  public enum Source: Sendable, Equatable {
    /// The entry of the key.
    case entry
    /// A block's output.
    case block(Int)
  }

  public var key: OutputKey
  public var source: Source
  /// Numbers of a row.
  public var width: Int

  public init(key: OutputKey, source: Source, width: Int) {
    self.key = key
    self.source = source
    self.width = width
  }

  /// As it is called in the files: `encoder_outputs` is one tensor a block.
  public var name: String {
    guard key == .encoderOutputs, let block else { return key.rawValue }
    return "\(key.rawValue).\(block)"
  }

  /// The block whose output it is; nil for another entry.
  public var block: Int? {
    if case .block(let block) = source { block } else { nil }
  }

  public var hasRowPerToken: Bool { key.part != .text }

  /// Whether most of its numbers are 0, so that the others are written with their places.
  var isSparse: Bool { key == .sparseEmbedding }

  func values(of sequence: EncodedSequence) -> [Float] {
    switch source {
    case .entry: sequence[key]
    case .block(let block): sequence.blocks[block] ?? []
    }
  }
}

/// The numbers of a row that are not 0: a row of a matrix in compressed sparse row format.
struct SparseRow {
  var indices: [Int32] = []
  var values: [Float] = []

  init(_ row: [Float]) {
    for (index, value) in row.enumerated() where value != 0 {
      indices.append(Int32(index))
      values.append(value)
    }
  }
}

/// A record's entries, or a chunk's.
public struct EncodedRecord: Sendable {
  public var sequence: EncodedSequence
  /// Tokens, padding left out.
  public var tokenCount: Int
  public var truncated: Bool
  /// UTF-8 bytes of the text that a chunk covers; nil where records are not cut into chunks.
  public var bytes: Range<Int>?

  public init(
    sequence: EncodedSequence, tokenCount: Int, truncated: Bool, bytes: Range<Int>? = nil
  ) {
    self.sequence = sequence
    self.tokenCount = tokenCount
    self.truncated = truncated
    self.bytes = bytes
  }
}

/// What the files of a job hold, and where they are.
public struct OutputLayout: Sendable {
  /// A folder, which exists.
  public var folder: String
  public var format: OutputFormat
  public var elements: ElementFormat
  public var columns: [Column]
  /// Positions that every record is padded to; nil: each has its own number.
  public var rowsPerRecord: Int?
  /// Records of a part.
  public var partSize: Int

  public init(
    folder: String, format: OutputFormat, elements: ElementFormat, columns: [Column],
    rowsPerRecord: Int?, partSize: Int
  ) {
    self.folder = folder
    self.format = format
    self.elements = elements
    self.columns = columns
    self.rowsPerRecord = rowsPerRecord
    self.partSize = partSize
  }

  /// `part-00003`: parts sort by name as by number up to 99,999 of them.
  func name(ofPart number: Int) -> String {
    let digits = String(number)
    return "part-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  func path(ofPart number: Int) -> String {
    "\(folder)/\(name(ofPart: number)).\(format.rawValue)"
  }
}
