import ArgumentParser
import BERT
import Bulk
import Checkpoints
import EncoderContract
import HTTPClient
import JSON
import Models
import RecordEncoders
import Settings
import TensorFormats

/// Where the numbers come from, and whether the flags suit it.
extension EncodeCommand {
  private var rowOptions: RowOptions {
    RowOptions(
      truncation: truncate, padTo: seqLength, overlap: chunkOverlap, inputType: inputType)
  }

  /// The model folder, in this process.
  func localSource() throws -> EncodeSource {
    let files = try ModelFiles(flags.model, lowercases: letterCase.value.lowercases)
    try files.checkSparse(setting: pooling.sparse)
    let model = try flags.load(
      files,
      sentence: SentenceModules(
        files.sentenceModules, pooling: pooling.pooling, sparse: pooling.sparse))
    for note in files.notes(model.tokenizer) { printError(note.value) }
    return try EncodeSource(
      model, files, rowOptions,
      choices: (pooling == .folder ? "the folder's" : pooling.rawValue, letterCase.value.rawValue))
  }

  func remoteSource(_ url: String) throws -> EncodeSource {
    guard pooling == .folder, flags.precision == .float32, flags.kernels == "auto",
      flags.threads == 0,
      letterCase.value == .auto
    else {
      throw ValidationError(
        "--pooling, --precision, --kernels, --threads and --letter-case are the service's own")
    }
    guard chunkOverlap == nil else {
      throw ValidationError("--chunk-overlap needs the model folder; it is not for --server")
    }
    guard 1...256 ~= concurrency else { throw ValidationError("--concurrency is 1 to 256") }
    let keys = Environment.value(Settings.keysVariable)?.split(separator: ",")
    return try EncodeSource(
      HTTPClient(url: url, key: keys?.first.map(String.init)), url: url, concurrency: concurrency,
      rowOptions)
  }

  func columns(of source: EncodeSource) throws -> [Column] {
    do throws(ColumnError) {
      return try source.columns(keys: outputKey, layers: layers)
    } catch {
      throw ValidationError(error.description)
    }
  }

  func check(_ columns: [Column]) throws {
    guard Set(columns.map(\.name)).count == columns.count else {
      throw ValidationError("--output-key and --layers name an entry twice")
    }
    if layers != nil, !columns.contains(where: { $0.key == .encoderOutputs }) {
      throw ValidationError("--layers picks blocks of encoder_outputs; add it to --output-key")
    }
    if inputType != .document, !columns.contains(where: { $0.key == .colbert }) {
      throw ValidationError("--input-type is for colbert; add it to --output-key")
    }
    if let column = columns.first(where: \.hasRowPerToken), chunkOverlap != nil {
      throw ValidationError(
        "--chunk-overlap is for vectors of a text, and \(column.key.rawValue) has one a token")
    }
    guard format == .npy else { return }
    if columns.contains(where: { $0.key == .sparseEmbedding }) {
      throw ValidationError(
        "npy would hold the zeros of sparse_embedding too; ask for --format safetensors (compressed "
          + "sparse rows) or jsonl")
    }
    if columns.count > 1 {
      throw ValidationError("npy holds one entry a file; ask for one, or for --format safetensors")
    }
    if dtype == .bfloat16 {
      throw ValidationError("npy has no bfloat16; ask for float16, or for --format safetensors")
    }
    if columns[0].hasRowPerToken, seqLength == nil {
      throw ValidationError(
        "npy holds rectangles, and texts differ in length: add --seq-length, or ask for --format "
          + "safetensors")
    }
  }
}
