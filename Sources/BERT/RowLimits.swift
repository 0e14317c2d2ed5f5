import Checkpoints

/// How many rows a thread handles at a time.
struct RowLimits {
  /// Rows that one thread takes through a block: what lies between the products stays in its
  /// second-level cache.
  var block: Int
  /// Passes of at most so many rows are shared by columns.
  var sharedByColumns: Int

  init(
    _ configuration: ModelConfiguration, kernels: Kernels, threadCount: Int, maxBatchRows: Int
  ) {
    let hiddenSize = configuration.hiddenSize
    let bytesPerRow = 4 * (configuration.intermediateSize + 4 * hiddenSize)
    let tiles = max(2, Self.blockBytes / bytesPerRow / kernels.tileRows)
    block = tiles * kernels.tileRows
    // A thread with fewer rows of its own would spend more on reading all weights for them than on
    // meeting the others; with int8, weights are small, and every thread makes all operands.
    let few = hiddenSize / (kernels.precision == .int8 ? 96 : 12)
    sharedByColumns = min(few * threadCount, Self.columnRows, maxBatchRows)
  }

  private static let blockBytes = 880 << 10
  private static let columnRows = 128

  var largest: Int { max(block, sharedByColumns) }
}
