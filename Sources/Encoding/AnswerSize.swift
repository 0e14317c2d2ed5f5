import EncoderContract
package import Serving
package import Tokenizers

/// How large an answer will be, and what it needs until it is sent, known before anything is encoded.
package struct AnswerSize {
  /// Bytes of the answer, about.
  let bytes: Int
  /// Bytes of memory that tokens, numbers and the answer take.
  private(set) var memory: Int

  /// Bytes of a token in JSON, about: id, text, places.
  package static let bytesOfToken = 96
  /// Bytes of a predicted token, about: id and text.
  package static let bytesOfPrediction = 40

  init(_ job: MapJob, _ texts: [Tokenization]) {
    self.init(job, texts: texts.count, tokens: texts.reduce(0) { $0 + $1.sequence.count })
    memory += texts.reduce(0) { $0 + Self.memory(of: $1) }
    // A block of a text is one piece.
    let longest = texts.map(\.sequence.count).max() ?? 0
    if job.request.selection.hasTokenRows, job.coding.bulk(of: job.request) == .dense {
      let width = job.request.keys.reduce(0) {
        $1.part == .text ? $0 : max($0, job.request.width(of: $1))
      }
      memory += 2 * job.coding.byteCount(ofNumbers: longest * width)
    }
    memory += Self.headBytes(job.request, texts: texts.count, longest: longest)
  }

  /// Bytes that heads hold beside their results until these are taken.
  ///
  /// - Parameter longest: tokens of the longest text.
  package static func headBytes(_ request: MapRequest, texts: Int, longest: Int) -> Int {
    request.keys.reduce(0) { sum, key in
      switch key {
      // The logits of a text whose result is being made.
      case .mlmLogits where request.predictions == nil: sum + longest * request.width(of: key) * 4
      // SPLADE's sums of every text, in double precision.
      case .sparseEmbedding where request.model.unweightedTokens == nil:
        sum + texts * request.width(of: key) * 8
      default: sum
      }
    }
  }

  /// Without the memory of the tokens.
  package init(_ job: MapJob, texts: Int, tokens: Int) {
    let request = job.request
    // Texts and tokens are within limits, and a model's sizes are far below 2^31: no overflow.
    let numbers = request.numberCount(texts: texts, tokens: tokens)
    let written = (job.numbersOfText.map { texts * $0 } ?? numbers) * job.copies
    bytes =
      job.coding.byteCount(ofNumbers: written) + job.echoedBytes + 512
      + texts * 16 + (request.wantsTokens ? tokens * Self.bytesOfToken : 0)
      + (request.predictionCount(tokens: tokens) * Self.bytesOfPrediction)
    memory =
      (numbers + request.predictionCount(tokens: tokens)) * 4 + job.echoedBytes
      + (job.isWhole ? 2 * bytes : min(bytes, AnswerSource.memoryBytes))
  }

  /// - Parameter smaller: what to ask for instead.
  /// - Throws: `answerTooLarge`
  package func check(limit: Int, _ smaller: String) throws(ServiceError) {
    guard bytes <= limit else {
      throw .answerTooLarge(
        "the answer would be about \(bytes) bytes and the limit is \(limit) (max_output_bytes); "
          + smaller)
    }
  }

  /// Bytes of memory.
  package static func memory(of text: Tokenization) -> Int {
    256 + text.sequence.count * 8 + text.sources.count * MemoryLayout<TokenSource?>.stride
  }
}
