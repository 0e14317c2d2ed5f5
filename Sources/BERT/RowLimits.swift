import Checkpoints

/// How many rows a lane handles at a time.
struct RowLimits {
  /// Rows that one lane takes through a block: what lies between the products stays in its
  /// second-level cache.
  var block: Int
  /// Passes of at most so many rows are shared by columns.
  var sharedByColumns: Int

  init(_ configuration: ModelConfiguration, kernels: Kernels, maxBatchRows: Int) {
    let bytesPerRow = 4 * (configuration.intermediateSize + 4 * configuration.hiddenSize)
    let tiles = max(2, Self.blockBytes / bytesPerRow / kernels.tileRows)
    block = tiles * kernels.tileRows
    sharedByColumns = min(Self.columnRows, maxBatchRows)
  }

  private static let blockBytes = 700 << 10
  private static let columnRows = 128

  var largest: Int { max(block, sharedByColumns) }
}
