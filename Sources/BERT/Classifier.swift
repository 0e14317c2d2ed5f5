import Checkpoints
import EncoderContract

/// A classification head, ready to compute.
struct Classifier: Sendable {
  let input: ClassificationHead.Input
  let labelCount: Int
  let scoreFunction: ScoreFunction?
  private let layers: [SentenceModules.Layer]

  init(_ head: ClassificationHead) throws(CheckpointError) {
    input = head.input
    labelCount = head.labels.count
    scoreFunction = head.scoreFunction
    layers = try head.layers()
  }

  /// - Parameter row: [columns]
  /// - Returns: [labels]
  func logits(of row: UnsafePointer<Float>, _ columns: Int) -> [Float] {
    let vector = unsafe [Float](UnsafeBufferPointer(start: row, count: columns))
    return layers.reduce(vector) { $1.apply(to: $0) }
  }
}
