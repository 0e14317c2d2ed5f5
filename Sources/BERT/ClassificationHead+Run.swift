import Checkpoints

extension ClassificationHead {
  /// - Parameter row: [columns]
  /// - Returns: [labels]
  func logits(of row: UnsafePointer<Float>, _ columns: Int) -> [Float] {
    let vector = unsafe [Float](UnsafeBufferPointer(start: row, count: columns))
    return layers.reduce(vector) { $1.apply(to: $0) }
  }
}
