import ArgumentParser
import BERT
import Bulk
import Checkpoints
import Dispatch
import EncoderContract
import FoundationEssentials
import Glibc
import Hosting
import JSON
import RecordEncoders
import Settings
import Synchronization
import TensorFormats
import Tokenizers

/// A library of texts to files of tensors, without a server.
struct EncodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encode",
    abstract: "Encodes files of texts (bulk, offline) to npy, safetensors or JSON lines.",
    discussion: """
      Writes parts (part-00000.npy, …) to the output folder, each atomically. To resume after an \
      interruption, run the same command again: finished parts are kept, and the result is the same, \
      byte for byte.
      """)

  @Argument(
    help:
      "Input files, plain or gzip, or folders of them; - or none for standard input."
  )
  var inputs: [String] = []

  @Option(name: .shortAndLong, help: "Output folder; created if needed.")
  var output: String

  @OptionGroup var flags: EncoderFlags

  @OptionGroup var letterCase: LetterCaseFlag

  @Option(
    help: """
      Input format: text (one text per line), jsonl, json (an array), csv, tsv, or document (one text \
      per file, whose path is its id). Default: by file extension, and text for standard input.
      """,
    transform: chosen)
  var inputFormat: InputFormat?

  @Option(help: "Field (jsonl, json) or column (csv, tsv) with the text. Default: text.")
  var field: String?

  @Option(help: "Field or column with the second text of a pair.")
  var secondField: String?

  @Option(help: "Field or column with the record id, which is written to part-….records.json.")
  var idField: String?

  @Option(help: "Maximum number of records to encode.")
  var limit: Int?

  @Option(help: "Output keys, comma-separated.")
  var outputKey = "default"

  @Option(help: "Layers of encoder_outputs, as 0,3,-1. Default: all.")
  var layers: String?

  @Option(help: "Output format: npy (one output key), safetensors, jsonl.", transform: chosen)
  var format = OutputFormat.npy

  @Option(help: "Data type in npy and safetensors: float32, float16, bfloat16.", transform: chosen)
  var dtype = ElementFormat.float32

  @Option(
    help:
      "Pooling of sentence_embedding, overriding the folder's: \(poolings); splade: a sparse_embedding.",
    transform: pooling)
  var pooling = PoolingChoice.folder

  @Option(
    help:
      "What the texts are, for colbert: document, query. Chooses prompt, token limit and expansion.",
    transform: chosen)
  var inputType = InputType.document

  @Option(help: "Maximum tokens per text. Default: the limit of the model folder.")
  var maxTokens: Int?

  @Option(help: "Pad or truncate every text to this many tokens.")
  var seqLength: Int?

  @Option(
    help: "Truncation of longer texts: right (keeps the beginning), left (keeps the end), error.",
    transform: truncation)
  var truncate = Truncation.right

  @Option(
    help: ArgumentHelp(
      "Split longer texts into chunks of --max-tokens that overlap by this many tokens, at most half.",
      discussion: "Each chunk is a row; part-….records.json has its record and byte range."))
  var chunkOverlap: Int?

  @Option(help: "On a record that cannot be encoded: stop, skip.", transform: chosen)
  var onError = BulkJob.ErrorPolicy.stop

  @Option(help: "With --on-error skip: fail once more than this many records were skipped.")
  var maxSkipped: Int?

  @Flag(
    help: "Check the input and report what would be encoded; write nothing.")
  var dryRun = false

  @Option(help: "Records per part.")
  var partSize = 10_000

  @Option(
    help: "Encode only this share of the parts, as 0/8 to 7/8, into a common folder.",
    transform: shard)
  var shard: BulkJob.Shard?

  @Option(help: "Use a running bert-server at http(s)://HOST:PORT.")
  var server: String?

  @Option(help: "Concurrent requests, with --server.")
  var concurrency = 8

  private static let poolings = PoolingChoice.allCases.map(\.rawValue)
    .joined(separator: ", ")

  private static func pooling(_ name: String) throws -> PoolingChoice {
    guard let choice = PoolingChoice(rawValue: name) else {
      throw ValidationError("unknown value '\(name)'; use \(poolings)")
    }
    return choice
  }

  private static func truncation(_ name: String) throws -> Truncation {
    let values: [String: Truncation] = ["right": .right, "left": .left, "error": .error]
    guard let value = values[name] else {
      throw ValidationError("unknown value '\(name)'; use right, left or error")
    }
    return value
  }

  private static func shard(_ text: String) throws -> BulkJob.Shard {
    guard let shard = BulkJob.Shard(text) else {
      throw ValidationError("a shard is I/N with I from 0 to N - 1")
    }
    return shard
  }

  func run() throws {
    Signals.block()
    do {
      guard try work() else {
        printError("stopped; run the same command to resume")
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
    try checkNumbers()
    try checkPlace()
    let fields = Fields(text: field, second: secondField, identifier: idField)
    let files = try InputFile.all(
      inputs.isEmpty ? ["-"] : inputs, format: inputFormat, fields: fields)
    let source = try server.map(remoteSource) ?? localSource()
    let columns = try columns(of: source)
    try check(columns)
    let isColBERT = columns.contains { $0.key == .colbert }
    let limit = seqLength ?? maxTokens ?? (isColBERT ? nil : source.defaultMaxTokens)
    guard limit.map({ 3...source.info.positionCount ~= $0 }) ?? true else {
      throw ValidationError(
        "--max-tokens and --seq-length are 3 to \(source.info.positionCount), the model's")
    }
    var reader = RecordReader(files, fields: fields, mostRecords: self.limit)
    if dryRun { return try describe(&reader, columns) }
    let encoder = try source.encoder(columns, limit)
    var members = try description(files, columns, limit) + source.description
    // A service does not say what its weights are: its numbers do.
    if server != nil { members.append(("answer_sha256", try Self.fingerprint(encoder))) }
    let folder = try JobFolder(output, members, shard: shard)

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
      in: folder, policy: onError, mostSkipped: maxSkipped, shard: shard)
    let sizes = files.compactMap(\.size)
    var shown = EncodeProgress(
      inputBytes: sizes.count == files.count && self.limit == nil ? sizes.reduce(0, +) : nil,
      share: shard.map { 1 / Double($0.count) } ?? 1)
    let isDone: Bool
    do {
      isDone = try job.run(
        &reader, encoder, shouldStop: { stop.isAsked.load(ordering: .relaxed) },
        report: { shown.show($0) },
        reportSkipped: { printError($0) })
      try reader.checkUnchanged()
    } catch {
      shown.clear()
      throw error
    }
    shown.clear()
    printError(shown.summary(job.progress))
    return isDone
  }

  /// The next run would read this one's output.
  private func checkPlace() throws {
    func whole(_ path: String) -> String {
      URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path + "/"
    }
    for input in inputs where input != "-" && whole(output).hasPrefix(whole(input)) {
      throw ValidationError(
        "the output folder \(output) is in the input folder \(input): choose another")
    }
  }

  private func checkNumbers() throws {
    guard partSize > 0 else { throw ValidationError("--part-size is at least 1") }
    guard chunkOverlap ?? 0 >= 0 else { throw ValidationError("--chunk-overlap is at least 0") }
    guard chunkOverlap == nil || seqLength == nil && secondField == nil && truncate == .right else {
      throw ValidationError(
        "--chunk-overlap cannot be combined with --seq-length, --second-field or --truncate")
    }
    guard limit ?? 1 > 0 else { throw ValidationError("--limit is at least 1") }
    guard maxSkipped ?? 0 >= 0 else { throw ValidationError("--max-skipped is at least 0") }
    guard maxSkipped == nil || onError == .skip else {
      throw ValidationError("--max-skipped is for --on-error skip")
    }
  }

  /// What the parts are made of, but for the model.
  private func description(
    _ files: [InputFile], _ columns: [Column], _ maxTokens: Int?
  ) throws -> [(name: String, value: String)] {
    let digest = try Digest()
    for file in files { try file.identify(to: digest) }
    let names = files.map(\.path)
    let input = names.count > 1 ? "\(names[0]) and \(names.count - 1) more" : names[0]
    var values: [(name: String, value: String)] = [
      ("program", "bert-server \(version)"), ("inputs", input),
      ("input_sha256", try digest.hexadecimal()), ("limit", Self.text(limit)),
      ("field", field ?? ""), ("second_field", secondField ?? ""), ("id_field", idField ?? ""),
      ("columns", columns.map(\.name).joined(separator: ",")), ("format", format.rawValue),
      ("dtype", dtype.rawValue), ("max_tokens", Self.text(maxTokens)),
      ("seq_length", Self.text(seqLength)), ("truncate", "\(truncate)"),
      ("chunk_overlap", Self.text(chunkOverlap)), ("part_size", String(partSize)),
    ]
    if columns.contains(where: { $0.key == .colbert }) {
      values.append(("input_type", inputType.rawValue))
    }
    return values
  }

  /// A number in decimal, or nothing.
  private static func text(_ number: Int?) -> String {
    guard let number else { return "" }
    return String(number)
  }

  /// The digest of an encoder's numbers for the first of these texts that it does not refuse as too
  /// long; the last one is one token.
  private static func fingerprint(_ encoder: some RecordEncoder) throws -> String {
    var refusal = ""
    for text in ["Improve the physical fitness of your goldfish by getting him a bicycle", "a"] {
      guard let result = try encoder.encode([.single(text)]).first else { continue }
      switch result {
      case .success(let rows):
        let digest = try Digest()
        guard let record = rows.first else { continue }
        let blocks = record.sequence.blocks.sorted { $0.key < $1.key }.map(\.value)
        let entries = OutputKey.allCases.filter { $0 == $0.canonical }.map { record.sequence[$0] }
        for numbers in entries + blocks {
          try digest.add(numbers.map { String($0.bitPattern, radix: 16) }.joined(separator: ","))
        }
        return try digest.hexadecimal()
      case .failure(let reason): refusal = reason.description
      }
    }
    throw BulkError(
      "the service does not encode the text \"a\", by whose numbers its weights are known again: "
        + refusal)
  }

  /// Reads everything and encodes nothing.
  private func describe(_ reader: inout RecordReader, _ columns: [Column]) throws -> Bool {
    var (good, bad) = (0, 0)
    while let record = try reader.next() {
      switch record.input {
      case .success: good += 1
      case .failure(let reason):
        bad += 1
        printError("\(record.place): \(reason)")
      }
    }
    let parts = max(1, (good + bad + partSize - 1) / partSize)
    printError(
      "\(good) records to encode, \(bad) that cannot be, parts: \(parts), each with "
        + columns.map { "\($0.name) [\($0.hasRowPerToken ? "tokens, " : "")\($0.width)]" }
        .joined(separator: ", ") + "; nothing was written")
    guard bad == 0 || onError == .skip && bad <= maxSkipped ?? .max else { throw ExitCode(1) }
    return true
  }

  /// What signals leave for the job.
  private final class Stop: Sendable {
    let isAsked = Atomic(false)
  }
}
