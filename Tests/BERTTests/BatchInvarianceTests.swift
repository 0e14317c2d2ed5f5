import BERT
import Checkpoints
import EncoderContract
import Foundation
import Synchronization
import TestSupport
import Testing

/// A text's answer has the same bits whatever it is batched with, on however many threads.
struct BatchInvarianceTests {
  static let all = OutputSelection([.pooledOutput, .sentenceEmbedding], blocks: BlockSet(0..<3))

  @Test(arguments: KernelChoice.all, ModelKind.allCases)
  func sameBitsInEveryBatch(_ choice: KernelChoice, _ kind: ModelKind) throws {
    let model = try TestModel(kind, hiddenSize: 60, intermediateSize: 70)
    let threads = try ComputeThreads(count: 2)
    let encoder = try model.encoder(choice, threads: threads, sentence: EncoderTests.modules())
    let all = OutputSelection(kind.vectors, blocks: BlockSet(0..<3))
    var random = SeededGenerator(seed: 21)
    let probe = TestModel.sequence(23, attended: 19, &random)
    var batch = PackedBatch()
    batch.append(probe, for: all)
    let alone = try encoder.encodeAndWait(batch, on: [0])[0]
    let isFastest = choice.kernelSet == KernelChoice.of(choice.precision)[0].kernelSet
    for round in 0..<(isFastest ? kind == .bert ? 50 : 15 : 8) {
      var batch = PackedBatch()
      let count = Int.random(in: 1...24, using: &random)
      let place = Int.random(in: 0..<count, using: &random)
      for index in 0..<count {
        let length = Int.random(in: 1...60, using: &random)
        batch.append(
          index == place ? probe : TestModel.sequence(length, &random), for: all)
      }
      for threads in [[0], [1], [0, 1], [1, 0]] {
        let result = try encoder.encodeAndWait(batch, on: threads)[place]
        EncoderTests.expectPart(result, of: alone, all)
        guard isIdentical(result[kind.vectors[0]], alone[kind.vectors[0]]) else {
          Issue.record("seed 21, round \(round), \(count) sequences, threads \(threads)")
          return
        }
      }
    }
  }

  /// Two passes at once, each on its thread, against the same on both threads.
  @Test(arguments: KernelChoice.all)
  func passesSideBySide(_ choice: KernelChoice) async throws {
    let model = try TestModel(hiddenSize: 60, intermediateSize: 70)
    let encoder = try model.encoder(
      choice, threads: ComputeThreads(count: 2), sentence: EncoderTests.modules())
    var random = SeededGenerator(seed: 22)
    for _ in 0..<8 {
      let batches = (0..<2).map { _ in
        var batch = PackedBatch()
        for _ in 0..<Int.random(in: 1...8, using: &random) {
          let length = Int.random(in: 1...60, using: &random)
          batch.append(TestModel.sequence(length, &random), for: Self.all)
        }
        return batch
      }
      async let first = Self.encode(batches[0], encoder, on: [0])
      async let second = Self.encode(batches[1], encoder, on: [1])
      for (batch, results) in zip(batches, try await [first, second]) {
        for (result, expected) in zip(results, try encoder.encodeAndWait(batch)) {
          EncoderTests.expectPart(result, of: expected, Self.all)
        }
      }
    }
  }

  /// Four threads and two encoders on them, passes on changing pairs of threads.
  @Test func threadsServeSeveralEncoders() async throws {
    let model = try TestModel()
    let threads = try ComputeThreads(count: 4)
    let encoders = try (0..<2).map { _ in
      try model.encoder(
        KernelChoice.all[0], threads: threads, sentence: EncoderTests.modules())
    }
    var random = SeededGenerator(seed: 23)
    for _ in 0..<20 {
      var batch = PackedBatch()
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        batch.append(TestModel.sequence(17, &random), for: Self.all)
      }
      let order = [0, 1, 2, 3].shuffled(using: &random)
      let expected = try encoders[0].encodeAndWait(batch, on: order)
      let sent = batch
      async let first = Self.encode(sent, encoders[0], on: Array(order[..<2]))
      async let second = Self.encode(sent, encoders[1], on: Array(order[2...]))
      for results in try await [first, second] {
        for (result, expected) in zip(results, expected) {
          EncoderTests.expectPart(result, of: expected, Self.all)
        }
      }
    }
  }

  /// Threads of several NUMA nodes, each of which has the weights: passes within a node and over both.
  @Test(arguments: KernelChoice.all)
  func sameBitsOnEveryNode(_ choice: KernelChoice) throws {
    let model = try TestModel()
    let one = try model.encoder(
      choice, threads: ComputeThreads(count: 3), sentence: EncoderTests.modules())
    let several = try model.encoder(
      choice, threads: ComputeThreads(count: 3, nodes: [0, 0, 1]), sentence: EncoderTests.modules())
    #expect(several.weightBytes > one.weightBytes)
    #expect(several.memoryBytes > one.memoryBytes)
    var random = SeededGenerator(seed: 24)
    for threads in [[0], [2], [0, 1], [1, 2], [0, 1, 2], [2, 0]] {
      var batch = PackedBatch()
      for _ in 0..<9 { batch.append(TestModel.sequence(17, &random), for: Self.all) }
      let results = try several.encodeAndWait(batch, on: threads)
      for (result, expected) in zip(results, try one.encodeAndWait(batch)) {
        EncoderTests.expectPart(result, of: expected, Self.all)
      }
    }
  }

  /// A thread gives back what a pass took that is larger than most: the next such pass finds zeros, and has the
  /// same bits.
  @Test(arguments: KernelChoice.all)
  func sameBitsAfterMemoryWasGivenBack(_ choice: KernelChoice) async throws {
    let model = try TestModel(.modernbert, hasPooler: false)
    let encoder = try model.encoder(
      choice, threads: ComputeThreads(count: 8), sentence: EncoderTests.modules(),
      maxBatchRows: 1024)
    let all = OutputSelection([.sentenceEmbedding], blocks: BlockSet(0..<3))
    var random = SeededGenerator(seed: 25)
    var batch = PackedBatch()
    for _ in 0..<40 { batch.append(TestModel.sequence(20, &random), for: all) }
    let expected = try encoder.encodeAndWait(batch, on: [0])
    // Each pass begins where the one before says that it has ended, on a thread of it.
    let results = try await withCheckedThrowingContinuation { continuation in
      Self.encodeInTurn(30, batch, encoder, []) { continuation.resume(with: $0) }
    }
    #expect(results.count == 30)
    for result in results {
      for (result, expected) in zip(result, expected) {
        EncoderTests.expectPart(result, of: expected, all)
      }
    }
  }

  private typealias Results = [[EncodedSequence]]

  /// Encodes the batch so many times, on two threads of which each is the lead at times.
  private static func encodeInTurn(
    _ count: Int, _ batch: PackedBatch, _ encoder: Encoder, _ results: Results,
    _ completion: @escaping @Sendable (Result<Results, EncodeError>) -> Void
  ) {
    if count == 0 { return completion(.success(results)) }
    encoder.encode(batch, on: count.isMultiple(of: 3) ? [1, 0] : [0, 1]) { result in
      switch result {
      case .success(let some):
        Self.encodeInTurn(count - 1, batch, encoder, results + [some], completion)
      case .failure(let error): completion(.failure(error))
      }
    }
  }

  static func encode(
    _ batch: PackedBatch, _ encoder: Encoder, on threads: [Int]
  ) async throws -> [EncodedSequence] {
    try await withCheckedThrowingContinuation { continuation in
      encoder.encode(batch, on: threads) { continuation.resume(with: $0) }
    }
  }
}
