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
  ///   - echoedBytes: of the documents that the answer repeats.
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
    var job = MapJob(
      request: request, inputs: documents.map { .text(.pair(query, $0)) }, coding: .json,
      // A score is repeated in an object with its index.
      echoedBytes: echoedBytes + 48 * documents.count
    ) { answer in
      let scores = answer.results.map { result in
        score.map { $0.probabilities(of: result[.logits])[0] } ?? result[.logits][0]
      }
      let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
      return render(answer, order.map { RankedDocument(index: $0, score: scores[$0]) })
    }
    job.isWhole = true
    job.place = { "document \($0)" }
    return job
  }
}
