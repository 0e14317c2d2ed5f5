import Batching
import EncoderContract
import JSON
import Tokenizers

@testable import Encoding
@testable import Protocols
@testable import Serving

/// A model of eight words that encodes nothing.
enum TestModel {
  static func make(typeCount: Int = 2) throws -> ServedModel {
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fish", "##es"]
    return ServedModel(
      name: "m",
      info: info(typeCount: typeCount),
      sentence: nil, defaultMaxTokens: 8,
      tokenizer: try Tokenizer(
        vocabulary: try Vocabulary(lines: Array(words.joined(separator: "\n").utf8))),
      queue: BatchQueue(
        encoders: [IdleEncoder()],
        limits: BatchLimits(maxBatchTokens: 1024, maxQueueTokens: 262_144, maxWait: .zero)),
      encoder: 0, facts: [])
  }

  private static func info(typeCount: Int) -> ModelInfo {
    var info = ModelInfo(hiddenSize: 2, blockCount: 3, positionCount: 8, typeCount: typeCount)
    info.set(.default, width: 2)
    info.set(.pooledOutput, width: 2)
    return info
  }

  private struct IdleEncoder: BatchEncoder {
    let threadCount = 1

    func encode(
      _ batch: PackedBatch, on threads: [Int],
      completion: @escaping @Sendable (Result<[EncodedSequence], EncodeError>) -> Void
    ) {}
  }
}

extension BodyLimits {
  static let test = BodyLimits(json: JSONParser.Limits(), texts: 10_000)
}
