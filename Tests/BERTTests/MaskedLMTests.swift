import BERT
import Checkpoints
import EncoderContract
import Foundation
import TestSupport
import Testing

/// A masked-language-model head with a vocabulary of several parts.
struct MaskedLMTests {
  private static let vocabularySize = 20_011

  /// What a text gets has the same bits whatever it is batched with, on however many threads, and what
  /// is kept of the logits is of all of them.
  @Test(arguments: KernelChoice.all, SparsePooling.Strategy.allCases)
  func sameBitsInEveryBatch(
    _ choice: KernelChoice, _ strategy: SparsePooling.Strategy
  ) throws {
    let model = try TestModel(
      hiddenSize: 60, intermediateSize: 70, vocabularySize: Self.vocabularySize, hasMaskedLM: true)
    let encoder = try model.encoder(
      choice, threads: ComputeThreads(count: 3),
      sentence: SentenceModules(sparse: SparsePooling(strategy: strategy)))
    #expect(encoder.info.width(of: .mlmLogits) == Self.vocabularySize)
    var random = SeededGenerator(seed: 41)
    let probe = TestModel.sequence(23, attended: 19, &random)
    let whole = OutputSelection([.mlmLogits, .sparseEmbedding])
    let alone = try Self.encode(encoder, [(probe, whole)], on: [0])[0]
    #expect(alone[.mlmLogits].count == 23 * Self.vocabularySize)
    try Self.expectSparse(alone, strategy)
    var best = OutputSelection([.mlmLogits, .pooledOutput])
    best.predictions = TokenPredictions(count: 9, hasProbabilities: true)
    var ofToken = best
    ofToken.predictions = TokenPredictions(
      count: 4, rowsOf: probe.ids[3], candidates: [7, 20_010, 3, 12_345])
    let likeliest = try Self.encode(encoder, [(probe, best)], on: [0])[0].predicted
    Self.expect(likeliest, of: alone[.mlmLogits])
    for round in 0..<3 {
      var texts = (0..<Int.random(in: 3...12, using: &random)).map { index in
        (
          TestModel.sequence(Int.random(in: 1...60, using: &random), &random),
          index % 3 == 0 ? OutputSelection([.sparseEmbedding]) : index % 3 == 1 ? best : ofToken
        )
      }
      texts[round] = (probe, whole)
      texts[(round + 1) % texts.count] = (probe, best)
      texts[(round + 2) % texts.count] = (probe, ofToken)
      for threads in [[2], [0, 1], [1, 2, 0]] {
        let results = try Self.encode(encoder, texts, on: threads)
        for key in [OutputKey.mlmLogits, .sparseEmbedding] {
          #expect(isIdentical(results[round][key], alone[key]), "seed 41, round \(round)")
        }
        #expect(results[(round + 1) % texts.count].predicted == likeliest)
        let found = results[(round + 2) % texts.count].predicted
        #expect(found.rows == (0..<19).filter { probe.ids[$0] == probe.ids[3] })
        #expect(Set(found.ids.prefix(4)) == [7, 20_010, 3, 12_345])
      }
    }
  }

  @Test(arguments: [[], [5, 5], [-1], [20_011]] as [[Int32]])
  func candidatesAreTokens(_ candidates: [Int32]) throws {
    let model = try TestModel(vocabularySize: Self.vocabularySize, hasMaskedLM: true)
    let encoder = try model.encoder(KernelChoice.all[0], threads: ComputeThreads(count: 1))
    var selection = OutputSelection([.mlmLogits])
    selection.predictions = TokenPredictions(count: 1, candidates: candidates)
    var random = SeededGenerator(seed: 42)
    #expect(throws: EncodeError.self) {
      try Self.encode(encoder, [(TestModel.sequence(4, &random), selection)], on: [0])
    }
  }

  private static func encode(
    _ encoder: Encoder, _ texts: [(TokenSequence, OutputSelection)], on threads: [Int]
  ) throws -> [EncodedSequence] {
    var batch = PackedBatch()
    for (text, selection) in texts { batch.append(text, for: selection) }
    return try encoder.encodeAndWait(batch, on: threads)
  }

  private static func expectSparse(
    _ found: EncodedSequence, _ strategy: SparsePooling.Strategy
  ) throws {
    let logits = found[.mlmLogits]
    let sparse = found[.sparseEmbedding]
    try #require(sparse.count == vocabularySize)
    for token in stride(from: 0, to: vocabularySize, by: 97) {
      let column = (0..<19).map { log1p(max(Double(logits[$0 * vocabularySize + token]), 0)) }
      let expected = strategy == .max ? column.max() ?? 0 : column.reduce(0, +)
      #expect(abs(Double(sparse[token]) - expected) <= 1e-6 * max(1, expected))
    }
  }

  private static func expect(_ found: PredictedTokens, of logits: [Float]) {
    #expect(found.rows == Array(0..<23))
    for row in 0..<23 {
      let own = Array(logits[row * vocabularySize..<(row + 1) * vocabularySize])
      let order = own.indices.sorted { (-own[$0], $0) < (-own[$1], $1) }.prefix(9)
      #expect(found.ids[row * 9..<(row + 1) * 9].elementsEqual(order.map { Int32($0) }))
      #expect(found.logits[row * 9..<(row + 1) * 9].elementsEqual(order.map { own[$0] }))
      let shares = ScoreFunction.softmax.probabilities(of: own)
      for (place, token) in order.enumerated() {
        #expect(abs(found.probabilities[row * 9 + place] - shares[token]) <= 1e-5 * shares[token])
      }
    }
  }
}
