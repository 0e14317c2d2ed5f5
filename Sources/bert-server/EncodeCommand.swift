import ArgumentParser
import BERT
import Bulk
import Checkpoints
import Dispatch
import Glibc
import JSON
import OutputMap
import Synchronization
import WordPiece

/// A library of texts to files of tensors, without a server.
struct EncodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encode",
    abstract: "Encodes texts from files or standard input into files of numbers.",
    discussion: """
      Writes parts (part-00000.npy, …) into the output folder, each there whole or not at all. Run \
      the same command again after an interruption: what is there is left out, and the result is \
      the same byte for byte.
      """)

  @Argument(help: "Files of texts; standard input when there are none, or for -.")
  var inputs: [String] = []

  @Option(name: .shortAndLong, help: "The output folder, made if it is not there.")
  var output: String

  @OptionGroup var flags: EncoderFlags

  @Option(
    help: "text (a text a line), jsonl or csv; what a file's name ends with when not given.",
    transform: chosen)
  var inputFormat: InputFormat?

  @Option(help: "Member (jsonl) or column (csv) with the text.")
  var field = "text"

  @Option(help: "Member or column with the second text of a pair.")
  var secondField: String?

  @Option(help: "Entries of the output map, with commas between them.")
  var outputKey = "default"

  @Option(help: "Blocks of encoder_outputs, as 0,3,-1; all when not given.")
  var layers: String?

  @Option(help: "npy (one entry), safetensors or jsonl.", transform: chosen)
  var format = OutputFormat.npy

  @Option(help: "Elements of npy and safetensors: float32, float16, bfloat16.", transform: chosen)
  var dtype = ElementFormat.float32

  @Option(
    help: "Pooling of sentence_embedding instead of the folder's: \(poolings).",
    transform: chosen)
  var pooling: SentenceModules.Pooling?

  @Option(help: "Most tokens of a text; the folder's limit when not given.")
  var maxTokens: Int?

  @Option(help: "Pad and cut every text to that many positions.")
  var seqLength: Int?

  @Option(
    help: "What becomes of a longer text: right (its beginning is kept), left, error.",
    transform: truncation)
  var truncate = Truncation.right

  @Option(help: "What becomes of a record that cannot be encoded: stop, skip.", transform: chosen)
  var onError = BulkJob.ErrorPolicy.stop

  @Option(help: "Records of a part.")
  var partSize = 10_000

  @Option(
    help: "This process's share of the parts: 0/8, 1/8, …, to the same folder.", transform: shard)
  var shard: BulkJob.Shard?

  @Option(help: "Ask the service at http(s)://HOST:PORT instead of encoding here.")
  var server: String?

  @Option(help: "Requests at a time, with --server.")
  var concurrency = 8

  private static let poolings = SentenceModules.Pooling.allCases.map(\.rawValue)
    .joined(separator: ", ")

  private static func truncation(_ name: String) throws -> Truncation {
    let values: [String: Truncation] = ["right": .right, "left": .left, "error": .error]
    guard let value = values[name] else {
      throw ValidationError("there is no '\(name)'; there is right, left, error")
    }
    return value
  }

  private static func shard(_ text: String) throws -> BulkJob.Shard {
    guard let shard = BulkJob.Shard(text) else {
      throw ValidationError("a shard is I/N, I from 0 to N - 1")
    }
    return shard
  }

  func run() throws {
    Signals.block()
    do {
      guard try work() else {
        printError("stopped; the same command goes on where this one was")
        throw ExitCode(130)
      }
    } catch let error as ExitCode {
      throw error
    } catch let error as ValidationError {
      throw error
    } catch {
      printError("\(error)")
      throw ExitCode(1)
    }
  }

  private func work() throws -> Bool {
    let paths = inputs.isEmpty ? ["-"] : inputs
    guard partSize > 0 else { throw ValidationError("--part-size is at least 1") }
    let source = try server.map(remoteSource) ?? localSource()
    let limit = seqLength ?? maxTokens ?? source.defaultMaxTokens
    guard (3...source.positionCount).contains(limit) else {
      throw ValidationError(
        "--max-tokens and --seq-length are 3 to \(source.positionCount), the model's")
    }
    let columns = try columns(of: source)
    try check(columns)
    let encoder = try source.encoder(columns, limit)
    let sizes = paths.map(Self.size)
    let inputText = zip(paths, sizes).map { "\($0) (\($1.map(String.init) ?? "unknown") bytes)" }
    try JobDescription(
      [
        ("program", "bert-server \(version)"), ("inputs", inputText.joined(separator: ", ")),
        ("input_format", inputFormat?.rawValue ?? "by name"), ("field", field),
        ("second_field", secondField ?? ""),
        ("columns", columns.map(\.name).joined(separator: ",")), ("format", format.rawValue),
        ("dtype", dtype.rawValue), ("max_tokens", String(limit)),
        ("seq_length", seqLength.map(String.init) ?? ""), ("truncate", "\(truncate)"),
        ("part_size", String(partSize)),
      ] + source.description
    ).claim(output)

    // A serial queue may block: it has a thread of its own while it runs.
    let stop = Stop()
    DispatchQueue(label: "bert-server.signals").async {
      _ = Signals.wait()
      stop.isAsked.store(true, ordering: .relaxed)
      _ = Signals.wait()
      Glibc.exit(130)
    }
    var job = BulkJob(
      OutputLayout(
        folder: output, format: format, elements: dtype, columns: columns,
        rowsPerRecord: seqLength, partSize: partSize),
      policy: onError, shard: shard)
    var reader = RecordReader(
      paths: paths, format: inputFormat, fields: Fields(text: field, second: secondField))
    let known = sizes.compactMap(\.self)
    var shown = EncodeProgress(inputBytes: known.count == paths.count ? known.reduce(0, +) : nil)
    let isDone: Bool
    do {
      isDone = try job.run(
        &reader, encoder, shouldStop: { stop.isAsked.load(ordering: .relaxed) },
        report: { shown.show($0) },
        reportSkipped: { printError($0) })
    } catch {
      shown.clear()
      throw error
    }
    shown.clear()
    printError(shown.summary(job.progress))
    return isDone
  }

  /// Bytes of a file; nil for a pipe, or what cannot be looked at.
  private static func size(_ path: String) -> UInt64? {
    var status = Glibc.stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return UInt64(status.st_size)
  }

  /// What signals leave for the job.
  private final class Stop: Sendable {
    let isAsked = Atomic(false)
  }
}
