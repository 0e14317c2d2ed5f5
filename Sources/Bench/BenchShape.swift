public import BERT
import Checkpoints
public import EncoderContract
import Models

/// Sequences whose encoding is measured.
public struct BenchShape: Equatable, Sendable {
  public let name: String
  public let sequences: [TokenSequence]

  public init(name: String, sequences: [TokenSequence]) {
    self.name = name
    self.sequences = sequences
  }

  /// The passes, each through all blocks and all rows.
  public func batches(for encoder: Encoder) -> [PackedBatch] {
    let last = OutputSelection(blocks: BlockSet([encoder.configuration.blockCount - 1]))
    return batches(selecting: last)
  }

  /// The passes that give a selection of each sequence.
  func batches(selecting selection: OutputSelection) -> [PackedBatch] {
    var batches: [PackedBatch] = [PackedBatch()]
    for sequence in sequences {
      let rows = batches[batches.count - 1].rowCount
      if !PackedBatch.takes(sequence.count, after: rows, upTo: PackedBatch.usualRows) {
        batches.append(PackedBatch())
      }
      batches[batches.count - 1].append(sequence, for: selection)
    }
    return batches
  }

  /// One short text, longer ones, a rectangle, and lengths as sentences have them.
  public static func fixed(positions: Int, vocabulary: Int) -> [BenchShape] {
    var random = SeededRandom(state: 42)
    func sequence(_ length: Int) -> TokenSequence { random.sequence(length, vocabulary) }
    var shapes = [16, 128, 512].filter { $0 <= positions }
      .map { BenchShape(name: "one text of \($0) tokens", sequences: [sequence($0)]) }
    let length = min(128, positions)
    shapes.append(
      BenchShape(name: "32 texts of \(length)", sequences: (0..<32).map { _ in sequence(length) }))
    // Lognormal by way of twelve uniform numbers: mean 29, most between 7 and 80.
    let lengths = (0..<256).map { _ in
      let normal = (0..<12).reduce(-6.0) { sum, _ in sum + random.unit() }
      var length = 22.0
      for _ in 0..<Int(abs(normal) * 16) { length *= normal > 0 ? 1.047 : 1 / 1.047 }
      return min(max(Int(length), min(4, positions)), min(256, positions))
    }
    shapes.append(BenchShape(name: "256 mixed texts", sequences: lengths.map(sequence)))
    return shapes
  }
}

extension BenchShape {
  /// `1x16,32x128`: one sequence of 16 tokens, then 32 of 128.
  public static func named(
    _ names: String, positions: Int, vocabulary: Int
  ) throws(BenchError) -> [BenchShape] {
    var random = SeededRandom(state: 42)
    return try names.split(separator: ",", omittingEmptySubsequences: false).map {
      name throws(BenchError) in
      let numbers = name.split(separator: "x", omittingEmptySubsequences: false).map {
        Int($0) ?? 0
      }
      guard numbers.count == 2, 1...65_536 ~= numbers[0], 1...positions ~= numbers[1] else {
        throw .noShape(String(name), positions: positions)
      }
      return BenchShape(
        name: "\(numbers[0]) x \(numbers[1])",
        sequences: (0..<numbers[0]).map { _ in random.sequence(numbers[1], vocabulary) })
    }
  }
}

/// A fixed sequence of numbers: every run measures the same (Knuth's MMIX constants).
private struct SeededRandom {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }

  mutating func sequence(_ length: Int, _ vocabulary: Int) -> TokenSequence {
    let ids = (0..<length).map { _ in Int32(next() % UInt64(vocabulary)) }
    return TokenSequence(ids: ids, typeIDs: Array(repeating: 0, count: length))
  }

  mutating func unit() -> Double { Double(next() % 1_000_000) / 1_000_000 }
}

/// Why nothing is measured.
public enum BenchError: Error, Equatable, Sendable, CustomStringConvertible {
  case noShape(String, positions: Int)

  public var description: String {
    switch self {
    case .noShape(let text, let positions):
      "--shapes takes COUNTxLENGTH,…: at most 65536 texts, of at most \(positions) tokens, not '\(text)'"
    }
  }
}
