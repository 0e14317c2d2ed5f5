import Checkpoints
import EncoderContract

/// What a pass does, worked out before it starts.
///
/// Sequences are ordered by depth, the deepest first, so that the rows that are still in the pass
/// at any block are the first ones. Those of which the last block gives only the first row come
/// after those of which it gives all.
struct PassPlan {
  struct Entry {
    /// Index in the batch.
    var sequence: Int
    var selection: OutputSelection
    /// Blocks to run.
    var depth: Int
    /// Whether the last block is asked for nothing but the row of `[CLS]`.
    var isFirstRowOnly: Bool
    /// Rows in the pass's order.
    var rows: Range<Int>
    var attendedCount: Int
    /// Index of the first row after `depth` blocks.
    var resultRow = 0
    /// Index among `pooledEntries`, if it goes through the pooler.
    var pooledPlace: Int?
  }

  /// Some heads of one entry, the unit of work of attention.
  struct AttentionItem {
    var entry: Int
    var heads: Range<Int>
  }

  /// What is left of a pass at one block.
  struct Stage {
    /// Rows that go in.
    var rowCount = 0
    var itemCount = 0
    /// Rows that come out of attention and out of the block.
    var outputRowCount = 0
  }

  private(set) var entries: [Entry] = []
  /// [R] each, in the pass's order.
  private(set) var ids: [Int32] = []
  private(set) var types: [Int32] = []
  private(set) var positions: [Int32] = []
  /// Rows of padding whose embeddings are 0.
  private(set) var blankRows: [Range<Int>] = []
  /// One per block of the deepest sequence.
  private(set) var stages: [Stage] = []
  private(set) var items: [AttentionItem] = []
  /// The rows before this one are all asked for of the model's last block; of the sequences from
  /// here on it gives the first row.
  private(set) var wholeRowCount = 0
  /// First rows of the sequences after `wholeRowCount`.
  private(set) var firstRows: [Int] = []
  /// Entries that go through the pooler.
  private(set) var pooledEntries: [Int] = []

  init(_ batch: PackedBatch, shape: ModelShape, threadCount: Int) throws(EncodeError) {
    try shape.check(batch)
    let blockCount = shape.configuration.blockCount
    for index in 0..<batch.count {
      let selection = batch.selections[index]
      let needsLast = !selection.entries.isEmpty
      let needsRows = shape.needsAllRows(selection)
      let highest = selection.blocks.highest ?? -1
      entries.append(
        Entry(
          sequence: index, selection: selection,
          depth: needsLast ? blockCount : highest + 1,
          isFirstRowOnly: needsLast && !needsRows && highest < blockCount - 1,
          rows: batch.rows(of: index), attendedCount: batch.attendedCounts[index]))
    }
    entries.sort { first, second in
      let one = (-first.depth, first.isFirstRowOnly ? 1 : 0, -first.rows.count, first.sequence)
      let other = (
        -second.depth, second.isFirstRowOnly ? 1 : 0, -second.rows.count, second.sequence
      )
      return one < other
    }
    layOutRows(batch, shape)
    layOutStages(shape, threadCount: threadCount)
  }

  private mutating func layOutRows(_ batch: PackedBatch, _ shape: ModelShape) {
    let configuration = shape.configuration
    ids.reserveCapacity(batch.rowCount)
    types.reserveCapacity(batch.rowCount)
    positions.reserveCapacity(batch.rowCount)
    for index in entries.indices where entries[index].depth > 0 {
      let source = entries[index].rows
      entries[index].rows = ids.count..<(ids.count + source.count)
      entries[index].resultRow = ids.count
      if configuration.paddingAttendsUniformly, entries[index].attendedCount < source.count {
        blankRows.append(
          entries[index].rows.lowerBound
            + entries[index].attendedCount..<entries[index].rows.upperBound)
      }
      ids += batch.ids[source]
      types += batch.typeIDs[source]
      guard configuration.hasPaddingPosition else {
        positions += 0..<Int32(source.count)
        continue
      }
      var last: Int32 = 0
      positions += batch.ids[source].map { id in
        if id == configuration.padTokenID { return 0 }
        last += 1
        return last
      }
    }
  }

  private mutating func layOutStages(_ shape: ModelShape, threadCount: Int) {
    let configuration = shape.configuration
    stages = Array(repeating: Stage(), count: entries.first?.depth ?? 0)
    for index in entries.indices where entries[index].depth > 0 {
      let entry = entries[index]
      let size = entry.rows.count
      if entry.isFirstRowOnly {
        entries[index].resultRow = wholeRowCount + firstRows.count
        firstRows.append(entry.rows.lowerBound)
      } else if entry.depth == configuration.blockCount {
        wholeRowCount = entry.rows.upperBound
      }
      if shape.needsPooler(entry.selection) {
        entries[index].pooledPlace = pooledEntries.count
        pooledEntries.append(index)
      }
      let cost = 2 * size * size * configuration.hiddenSize
      var parts = cost / Self.itemCost + 1
      if entries.count < 4 * threadCount { parts = max(parts, threadCount) }
      // A mix needs the scores of all heads of a sequence.
      parts = configuration.mixesHeads ? 1 : min(parts, configuration.headCount)
      for part in 0..<parts {
        let first = configuration.headCount * part / parts
        let end = configuration.headCount * (part + 1) / parts
        items.append(AttentionItem(entry: index, heads: first..<end))
      }
      for block in 0..<entry.depth {
        stages[block].rowCount = entry.rows.upperBound
        stages[block].itemCount = items.count
        let isFirstRowOnly = entry.isFirstRowOnly && block == configuration.blockCount - 1
        stages[block].outputRowCount += isFirstRowOnly ? 1 : size
      }
    }
  }

  /// Multiply-adds of an item of attention, about: some tens of microseconds.
  private static let itemCost = 2_000_000

  /// R, rows that go through any block.
  var rowCount: Int { ids.count }
}
