import EncoderContract
import TestSupport
import Testing

@testable import BERT

struct TokenListTests {
  /// Parts in any order, logits of which many are equal.
  @Test func isTheBeginningOfTheSortedLogits() {
    var random = SeededGenerator(seed: 31)
    for round in 0..<200 {
      let size = Int.random(in: 1...80, using: &random)
      let partSize = Int.random(in: 1...size, using: &random)
      let logits = (0..<size).map { _ in Float(Int.random(in: -4...4, using: &random)) }
      var candidates: [Int32]?
      if round % 3 == 0 {
        let some = (0..<Int32(size)).shuffled(using: &random)
        candidates = Array(some.prefix(Int.random(in: 1...size, using: &random)))
      }
      let predictions = TokenPredictions(
        count: Int.random(in: 1...20, using: &random), candidates: candidates,
        hasProbabilities: true)
      let partCount = (size + partSize - 1) / partSize
      let list = TokenList(predictions, row: 3, size, partCount)
      for part in (0..<partCount).shuffled(using: &random) {
        let first = part * partSize
        let own = Array(logits[first..<min(first + partSize, size)])
        #expect(unsafe list.take(own, own.count, from: first, part))
      }
      var found = PredictedTokens()
      list.append(to: &found)
      let order = (candidates.map { $0.map { Int($0) } } ?? Array(0..<size))
        .sorted { (-logits[$0], $0) < (-logits[$1], $1) }
        .prefix(predictions.count(of: size))
      #expect(found.rows == [3])
      #expect(found.ids == order.map { Int32($0) }, "seed 31, round \(round)")
      #expect(found.logits == order.map { logits[$0] })
      let shares = ScoreFunction.softmax.probabilities(of: logits)
      #expect(found.probabilities.count == order.count)
      for (probability, id) in zip(found.probabilities, order) {
        #expect(abs(probability - shares[id]) <= 1e-6 * shares[id])
      }
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func whatIsNotFiniteIsSeen(value: Float) {
    let list = TokenList(TokenPredictions(count: 1), row: 0, 4, 2)
    #expect(unsafe list.take([5, 1], 2, from: 0, 0))
    #expect(unsafe !list.take([0, value], 2, from: 2, 1))
  }
}
