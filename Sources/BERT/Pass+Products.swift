import CKernels
import Checkpoints

/// Products of a step, and what they read and add.
extension Pass {
  /// Whether the last block projects queries that nobody asks for: a norm is over all heads of one.
  var projectsAllQueries: Bool { shape.configuration.normsQueriesAndKeys }

  /// Q, K and V of some rows for a block; only K and V of those of which the last block is asked
  /// for one row.
  func projectQueriesKeysValues(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) {
    let hiddenSize = shape.configuration.hiddenSize
    let isLast = block == shape.configuration.blockCount - 1 && !projectsAllQueries
    let whole = isLast ? rows.clamped(to: 0..<plan.wholeRowCount) : rows
    let rest =
      whole.upperBound < rows.upperBound
      ? max(whole.upperBound, rows.lowerBound)..<rows.upperBound : rows.upperBound..<rows.upperBound
    let panelCount = kernels.panelCount(outputs: 3 * hiddenSize)
    let operands = unsafe operands(before: block, thread)
    let y = unsafe thread.lead.queryKeyValue
    for (rows, panels) in [
      (whole, 0..<panelCount), (rest, hiddenSize / kernels.panelColumns..<panelCount),
    ] where !rows.isEmpty {
      unsafe product(
        \.queryKeyValue, block, isSharedByColumns ? thread.share(of: panels) : panels,
        rows: rows.count, x: operands.from(rows.lowerBound),
        y: y.from(rows.lowerBound))
    }
  }

  /// The norms of some rows' queries and keys.
  func normalizeQueriesKeys(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) {
    let projected = unsafe thread.lead.queryKeyValue
    let first = unsafe projected.row(rows.lowerBound)
    let keys = shape.configuration.hiddenSize * kernels.valueSize
    func normalize(_ norm: LayerNorm?, _ values: UnsafeMutableRawPointer) {
      guard var norm = unsafe norm else { return }
      unsafe kernels.set.normalizeValues(
        &norm, rows.count, values, projected.stride, thread.own.attended.base)
    }
    unsafe normalize(weights.blocks[block].queryNorm, first)
    unsafe normalize(weights.blocks[block].keyNorm, first + keys)
  }

  /// What went into the block in some of the rows that come out of it.
  func residual(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) -> Matrix {
    let hidden = unsafe hidden(before: block, thread)
    let isLast = block == shape.configuration.blockCount - 1
    if !isLast || rows.upperBound <= plan.wholeRowCount {
      return unsafe hidden.from(rows.lowerBound)
    }
    let copy = unsafe thread.own.residual
    for row in rows {
      unsafe copy.row(row - rows.lowerBound)
        .update(
          from: hidden.row(inputRow(of: row, block)), count: shape.configuration.hiddenSize)
    }
    return unsafe copy
  }

  /// The row that goes into a block, of one that comes out of it.
  func inputRow(of row: Int, _ block: Int) -> Int {
    let isLast = block == shape.configuration.blockCount - 1
    return isLast && row >= plan.wholeRowCount ? plan.firstRows[row - plan.wholeRowCount] : row
  }

  /// Adds x to y, [rows, H] each.
  func add(_ x: Matrix, to y: Matrix, _ rows: Int) {
    for row in 0..<rows {
      let (from, to) = unsafe (x.row(row), y.row(row))
      for column in 0..<shape.configuration.hiddenSize { unsafe to[column] += from[column] }
    }
  }

  func isFirstRowOnly(_ entry: PassPlan.Entry, _ block: Int) -> Bool {
    entry.isFirstRowOnly && block == shape.configuration.blockCount - 1
  }

  /// Values for a product: themselves, or operands made of them in `space`.
  func operands(of values: Rows, _ rows: Int, _ columns: Int, in space: Rows?) -> Rows {
    guard let makeOperands = unsafe kernels.set.makeOperands, let space = unsafe space else {
      return unsafe values
    }
    unsafe makeOperands(rows, columns, values.base, values.stride, space.base, space.stride)
    return unsafe space
  }

  func product(
    _ layer: KeyPath<BlockWeights, LinearLayer>, _ block: Int, _ panels: Range<Int>, rows: Int,
    x: Rows, residual: Matrix? = nil, y: Rows
  ) {
    var layer = unsafe weights.blocks[block][keyPath: layer]
    unsafe kernels.set.product(
      &layer, panels.lowerBound, panels.upperBound, rows, x.base, x.stride, residual?.base,
      residual?.stride ?? 0, y.base, y.stride)
  }
  /// A norm's result, as floats and for products.
  func layerNorm(_ norm: LayerNorm, _ rows: Int, _ x: Matrix, to y: Matrix, _ operands: Rows) {
    var norm = unsafe norm
    unsafe kernels.set.layerNorm(
      &norm, rows, x.base, x.stride, y.base, y.stride, operands.base, operands.stride)
  }

  /// A norm's result for products alone.
  ///
  /// - Parameter space: for the floats, where they are not what products read.
  func normalize(
    _ norm: LayerNorm, _ rows: Int, _ x: Matrix, to operands: Rows, by space: Matrix
  ) {
    guard kernels.precision == .float32 else {
      return unsafe layerNorm(norm, rows, x, to: space, operands)
    }
    let floats = unsafe Matrix(
      base: operands.base.assumingMemoryBound(to: Float.self),
      stride: operands.stride / MemoryLayout<Float>.stride)
    unsafe layerNorm(norm, rows, x, to: floats, operands)
  }

  /// Multiplies some panels of a feed-forward layer's values by their gates.
  func applyGate(
    _ block: Int, _ panels: Range<Int>, _ rows: Int, x: Rows, to values: Rows, _ thread: ThreadState
  ) {
    guard var gate = unsafe weights.blocks[block].gate, let gates = unsafe thread.own.gates else {
      return
    }
    unsafe kernels.set.product(
      &gate, panels.lowerBound, panels.upperBound, rows, x.base, x.stride, nil, 0, gates.base,
      gates.stride)
    let columns =
      panels.lowerBound
      * kernels.panelColumns..<min(
        panels.upperBound * kernels.panelColumns, shape.configuration.intermediateSize)
    guard !columns.isEmpty else { return }
    let first = columns.lowerBound * kernels.valueSize
    unsafe kernels.set.multiply(
      rows, columns.count, values.base + first, values.stride, gates.base + first, gates.stride)
  }
}
