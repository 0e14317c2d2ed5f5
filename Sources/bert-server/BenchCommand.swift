import ArgumentParser
import BERT
import Bench
import Checkpoints
import EncoderContract
import FoundationEssentials
import Models
import Tokenizers

/// The encoder's speed on this machine, as a share of the machine's peak.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures the encoder's speed against the CPU's peak, alternating in one run.",
    discussion: """
      The column bound is the shortest time in milliseconds that the machine allows: all operations \
      at its peak, or reading the weights from memory once per batch, whichever is longer.

      With --compare-precisions: for each precision the weights' memory, the speed, and the cosine of a text's \
      answer with float32's, mean and worst.
      """)

  @OptionGroup var flags: EncoderFlags

  @Option(help: "Measurements per shape, each of the peak and of the encoder.")
  var rounds = 9

  @Option(
    help:
      "File of texts, one per line: also measures encoding them, tokenization and writing the answers."
  )
  var texts: String?

  @Option(help: "Shapes to measure, as 1x16,32x128: one text of 16 tokens, 32 of 128.")
  var shapes: String?

  @Flag(
    help:
      "Compare all precisions instead: memory, speed, and answers to --texts or to built-in English texts."
  )
  var comparePrecisions = false

  @Flag(help: "Print JSON lines.")
  var json = false

  func validate() throws {
    guard 1...10_000 ~= rounds else {
      throw ValidationError("--rounds is 1 to 10000, not \(rounds)")
    }
    if comparePrecisions, flags.precision != .float32 || flags.kernels != "auto" {
      throw ValidationError(
        "--compare-precisions takes all precisions: leave out --precision and --kernels")
    }
  }

  func run() throws {
    do {
      let files = try ModelFiles(flags.model)
      let configuration = files.checkpoint.configuration
      let positions = configuration.positionCount
      let vocabulary = configuration.vocabularySize
      let fewShapes = "1x\(min(16, positions)),32x\(min(128, positions))"
      var measured =
        try (shapes ?? (comparePrecisions ? fewShapes : nil)).map {
          try BenchShape.named($0, positions: positions, vocabulary: vocabulary)
        } ?? BenchShape.fixed(positions: positions, vocabulary: vocabulary)
      let lines = try texts.map(Self.lines) ?? []
      if !lines.isEmpty { measured.append(try fileShape(lines, files)) }
      if comparePrecisions {
        return try compare(files, lines.isEmpty ? sampleTexts : lines, measured)
      }
      let encoder = try flags.load(files).encoder
      if !json {
        print(
          "\(flags.model), \(encoder.kernelSet), \(encoder.threadCount) threads, "
            + encoder.precision.rawValue)
        let names = ["shape", "tokens/s", "ms", "bound", "GFLOP/s", "peak"]
        print(row(names + ["share (min to max)"]))
      }
      // What the first pass of all costs is not a shape's.
      for shape in try BenchShape.named(
        "1x\(min(9, positions))", positions: positions, vocabulary: vocabulary)
      {
        for batch in shape.batches(for: encoder) { _ = try encoder.encodeAndWait(batch) }
      }
      for shape in measured {
        let speed = try BenchSpeed(of: shape, on: encoder, rounds: rounds)
        print(json ? speed.json(encoder) : row(speed.cells))
      }
      if !lines.isEmpty {
        for speed in try path(lines, files, encoder) {
          print(json ? speed.json : row(speed.cells))
        }
      }
    } catch {
      printError("\(error)")
      throw ExitCode(1)
    }
  }

  private func compare(_ files: ModelFiles, _ lines: [String], _ shapes: [BenchShape]) throws {
    var names: Set<String> = []
    let shapes = shapes.filter { names.insert($0.name).inserted }
    let threads = try ComputeThreads(
      on: NUMANodes(threadCount: ThreadCount(setting: flags.threads).count))
    let encoders = try Encoder.Precision.allCases.map {
      try Encoder(
        files.checkpoint, sentence: files.sentenceModules, threads: threads, precision: $0,
        maxBatchRows: max(files.checkpoint.configuration.positionCount, PackedBatch.usualRows))
    }
    let comparison = try PrecisionComparison(
      of: encoders, texts: fileShape(lines, files), shapes: shapes, rounds: rounds)
    if json {
      for row in comparison.rows { print(comparison.json(row)) }
      return
    }
    print(
      "\(flags.model), threads: \(threads.count), texts whose answers are compared: \(lines.count)"
        + (texts == nil ? ", built in" : ""))
    let table = [comparison.head] + comparison.rows.map(comparison.cells)
    let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
    for cells in table {
      let padded = zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      print((padded.dropLast() + cells.suffix(1)).joined(separator: "  "))
    }
  }

  private func fileShape(_ lines: [String], _ files: ModelFiles) throws -> BenchShape {
    let tokenizer = try files.tokenizer()
    let sequences = try lines.map {
      try tokenizer.tokenize(.single($0), maxTokens: files.maxTokens).sequence
    }
    return BenchShape(name: "\(lines.count) lines of the file", sequences: sequences)
  }

  /// The path of the lines around the encoder; the numbers are those of their first passes.
  private func path(
    _ lines: [String], _ files: ModelFiles, _ encoder: Encoder
  ) throws -> [BenchPath.Speed] {
    let batches = try fileShape(Array(lines.prefix(20)), files).batches(for: encoder)
    let vectors = try batches.flatMap { try encoder.encodeAndWait($0) }
      .flatMap { $0.blocks.values }
    return try BenchPath(
      texts: lines, tokenizer: files.tokenizer(), maxTokens: files.maxTokens, rounds: rounds
    ).measure(vectors: vectors)
  }

  private static func lines(_ path: String) throws -> [String] {
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw LoadingError("\(path) cannot be read")
    }
    // By bytes: to String "\r\n" is one character, and no "\n".
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
      .map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
      .filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) }
    guard !lines.isEmpty else { throw LoadingError("\(path) has no lines") }
    return lines
  }

  private func row(_ cells: [String]) -> String {
    let widths = [28, 10, 9, 9, 9, 9, 0]
    return zip(cells, widths).map { cell, width in
      cell + String(repeating: " ", count: max(1, width - cell.count))
    }.joined()
  }
}
