import OutputMap
import WordPiece

/// How large an answer will be, and what it needs until it is sent, known before anything is encoded.
struct AnswerSize {
  /// Bytes of the answer, about.
  let bytes: Int
  /// Bytes of memory that tokens, numbers and the answer take.
  let memory: Int

  /// Bytes of a token in JSON, about: id, text, places.
  static let bytesOfToken = 96

  init(_ job: MapJob, _ texts: [Tokenization]) {
    let request = job.request
    let tokens = texts.reduce(0) { $0 + $1.sequence.count }
    // Texts and tokens were made within limits, and a model's sizes are far below 2^31: no overflow.
    let numbers = request.numberCount(texts: texts.count, tokens: tokens)
    bytes =
      job.coding.byteCount(ofNumbers: numbers * job.copies) + job.echoedBytes + 512
      + texts.count * 16 + (request.wantsTokens ? tokens * Self.bytesOfToken : 0)
    memory =
      numbers * 4 + job.echoedBytes + min(bytes, 2 * AnswerSource.pieceSize)
      + texts.reduce(0) { $0 + Self.memory(of: $1) }
  }

  /// Bytes of memory.
  static func memory(of text: Tokenization) -> Int {
    256 + text.sequence.count * 8 + text.sources.count * MemoryLayout<TokenSource?>.stride
  }
}
