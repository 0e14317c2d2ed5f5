package import EncoderContract
package import HTTP
package import Serving
package import Tokenizers

/// A document's place in the order of relevance.
package struct RankedDocument: Sendable {
  /// Among the documents of the request.
  package var index: Int
  package var score: Float
}

extension ServedModel {
  /// A job that scores documents by a query, with a head of one label.
  ///
  /// - Parameters:
  ///   - score: what makes a score of a logit; nil for the logit itself.
  ///   - echoedBytes: of the answer, besides the scores themselves.
  ///   - render: takes all documents, the most relevant first; of equal ones the first.
  /// - Throws: `invalid` if the model has no such head.
  package func rankingJob(
    query: String, documents: [String], score: ScoreFunction?, truncation: Truncation,
    echoedBytes: Int, render: @escaping @Sendable (MapAnswer, [RankedDocument]) -> Response
  ) throws(ServiceError) -> MapJob {
    guard info.has(.logits) else {
      throw .invalid("this model does not rerank: \(info.absence(of: .logits))")
    }
    guard info.width(of: .logits) == 1 else {
      throw .invalid(
        "this model does not rerank: its head has \(info.width(of: .logits)) labels and a "
          + "reranker's has one; ask /predict, or /encode for its logits")
    }
    var request = MapRequest(self, keys: [.logits])
    request.truncation = truncation
    request.firstText = query
    var job = MapJob(
      request: request, inputs: documents.map { .text(.single($0)) }, coding: .json,
      echoedBytes: echoedBytes
    ) { answer in
      // In the order of logits: large ones have one sigmoid in float32.
      let logits = answer.results.map { $0[.logits][0] }
      return render(
        answer,
        logits.descendingOrder.map { index in
          let value = logits[index]
          return RankedDocument(
            index: index, score: score?.probabilities(of: [value])[0] ?? value)
        })
    }
    job.isWhole = true
    job.place = { "document \($0)" }
    return job
  }
}

extension [Float] {
  /// Their indices, the largest first; of equal ones the first.
  package var descendingOrder: [Int] {
    indices.sorted { (self[$1], $0) < (self[$0], $1) }
  }
}
