import CKernels
import Checkpoints

extension Pass {
  // MARK: Steps

  /// Embeddings of some rows, and what the first block's attention needs of them.
  func embed(_ rows: Range<Int>, _ thread: ThreadState) {
    let hidden = unsafe hidden(before: 0, thread)
    let operands = unsafe operands(before: 0, thread)
    unsafe plan.ids.withUnsafeBufferPointer { ids in
      unsafe plan.positions.withUnsafeBufferPointer { positions in
        unsafe plan.types.withUnsafeBufferPointer { types in
          var input = unsafe EmbeddingInput(
            ids: ids.baseAddress! + rows.lowerBound,
            positions: positions.baseAddress! + rows.lowerBound,
            types: types.baseAddress! + rows.lowerBound,
            wordTable: weights.wordTable, positionTable: weights.positionTable,
            typeTable: weights.typeTable)
          var norm = unsafe weights.embeddingNorm
          unsafe kernels.set.embed(
            &input, &norm, rows.count, hidden.row(rows.lowerBound), hidden.stride,
            operands.row(rows.lowerBound), operands.stride)
        }
      }
    }
    projectQueriesKeysValues(rows, 0, thread)
  }

  /// Attention of some heads of one sequence.
  func attend(_ index: Int, _ block: Int, _ thread: ThreadState) {
    let item = plan.items[index]
    let entry = plan.entries[item.entry]
    if item.heads.lowerBound == 0, block > 0 { collectBlock(block - 1, entry, thread) }
    let headSize = shape.configuration.headSize
    let hiddenSize = shape.configuration.hiddenSize
    let column = item.heads.lowerBound * headSize
    let projected = unsafe thread.lead.queryKeyValue
    let context = unsafe thread.lead.context
    let size = kernels.valueSize
    let first = unsafe projected.row(entry.rows.lowerBound) + column * size
    var input = unsafe AttentionInput(
      queries: first, keys: first + hiddenSize * size, values: first + 2 * hiddenSize * size,
      ldQueries: projected.stride, ldKeys: projected.stride, queryCount: entry.rows.count,
      keyCount: entry.attendedCount, headCount: item.heads.count, headSize: headSize)
    var output = entry.rows.lowerBound
    if isFirstRowOnly(entry, block) {
      // The row's query was not projected with the rest.
      let panels =
        column
        / kernels.panelColumns..<kernels.panelCount(
          outputs: item.heads.upperBound * headSize)
      unsafe product(
        \.queryKeyValue, block, panels, rows: 1,
        x: Rows(base: operands(before: block, thread).row(entry.rows.lowerBound), stride: 0),
        y: Rows(base: thread.own.firstQuery, stride: 0))
      unsafe input.queries = unsafe UnsafeRawPointer(thread.own.firstQuery) + column * size
      unsafe input.queryCount = 1
      output = entry.resultRow
    }
    unsafe kernels.set.attention(
      &input, context.row(output) + column * size, context.stride, thread.own.attentionScratch)
  }

  /// The rest of a block for some rows, and what the next block's attention needs of them.
  func transform(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) {
    let configuration = shape.configuration
    let kernelSet = unsafe kernels.set
    let context = unsafe thread.lead.context
    let attended = unsafe thread.own.attended
    let attendedOperands = unsafe thread.own.attendedOperands
    let sum = unsafe (isSharedByColumns ? thread.lead : thread.own).sum
    let intermediate = unsafe (isSharedByColumns ? thread.lead : thread.own).intermediate
    let narrow = panels(configuration.hiddenSize, thread)
    let wide = panels(configuration.intermediateSize, thread)
    let output = unsafe hidden(before: block + 1, thread)

    let nextOperands = unsafe operands(before: block + 1, thread)

    unsafe product(
      \.attentionOutput, block, narrow, rows: rows.count,
      x: operands(
        of: Rows(base: context.row(rows.lowerBound), stride: context.stride), rows.count,
        configuration.hiddenSize, in: thread.own.contextOperands),
      residual: residual(rows, block, thread), y: sum.rows)
    meet()
    var attentionNorm = unsafe weights.blocks[block].attentionNorm
    unsafe kernelSet.layerNorm(
      &attentionNorm, rows.count, sum.base, sum.stride, attended.base, attended.stride,
      attendedOperands.base, attendedOperands.stride)
    unsafe product(
      \.intermediate, block, wide, rows: rows.count, x: attendedOperands, y: intermediate)
    meet()
    unsafe product(
      \.output, block, narrow, rows: rows.count,
      x: operands(
        of: intermediate, rows.count, configuration.intermediateSize,
        in: thread.own.intermediateOperands),
      residual: attended, y: sum.rows)
    meet()
    var outputNorm = unsafe weights.blocks[block].outputNorm
    unsafe kernelSet.layerNorm(
      &outputNorm, rows.count, sum.base, sum.stride, output.row(rows.lowerBound), output.stride,
      nextOperands.row(rows.lowerBound), nextOperands.stride)
    if block + 1 < plan.stages.count {
      projectQueriesKeysValues(
        rows.clamped(to: 0..<plan.stages[block + 1].rowCount), block + 1, thread)
    }
  }

  /// The pooler for some of the entries that ask for it; its results are the rows of the lead's
  /// `pooled`.
  func pool(_ indices: Range<Int>, _ thread: ThreadState) {
    let configuration = shape.configuration
    guard var layer = unsafe weights.pooler else { return }
    let operands = unsafe operands(before: configuration.blockCount, thread)
    let gathered = unsafe thread.own.attendedOperands
    for index in indices {
      let row = plan.entries[plan.pooledEntries[index]].resultRow
      unsafe gathered.row(index - indices.lowerBound).copyMemory(
        from: operands.row(row), byteCount: kernels.operandSize(configuration.hiddenSize))
    }
    let pooled = unsafe thread.lead.pooled.rows
    let panels = panels(configuration.hiddenSize, thread)
    unsafe kernels.set.product(
      &layer, panels.lowerBound, panels.upperBound, indices.count, gathered.base, gathered.stride,
      nil, 0, pooled.row(indices.lowerBound), pooled.stride)
  }

  // MARK: Parts of steps

  /// Q, K and V of some rows for a block; only K and V of those of which the last block is asked
  /// for one row.
  private func projectQueriesKeysValues(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) {
    let hiddenSize = shape.configuration.hiddenSize
    let isLast = block == shape.configuration.blockCount - 1
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
        rows: rows.count, x: Rows(base: operands.row(rows.lowerBound), stride: operands.stride),
        y: Rows(base: y.row(rows.lowerBound), stride: y.stride))
    }
  }

  /// What went into the block in some of the rows that come out of it.
  private func residual(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) -> Matrix {
    let hidden = unsafe hidden(before: block, thread)
    let isLast = block == shape.configuration.blockCount - 1
    if !isLast || rows.upperBound <= plan.wholeRowCount {
      return unsafe Matrix(base: hidden.row(rows.lowerBound), stride: hidden.stride)
    }
    let copy = unsafe thread.own.residual
    for row in rows {
      let source =
        row < plan.wholeRowCount ? row : plan.firstRows[row - plan.wholeRowCount]
      unsafe copy.row(row - rows.lowerBound)
        .update(from: hidden.row(source), count: shape.configuration.hiddenSize)
    }
    return unsafe copy
  }

  private func isFirstRowOnly(_ entry: PassPlan.Entry, _ block: Int) -> Bool {
    entry.isFirstRowOnly && block == shape.configuration.blockCount - 1
  }

  /// The panels that this thread computes of a layer with so many outputs.
  private func panels(_ outputs: Int, _ thread: ThreadState) -> Range<Int> {
    let all = 0..<kernels.panelCount(outputs: outputs)
    return isSharedByColumns ? thread.share(of: all) : all
  }

  /// Waits for the threads that compute the other columns of the same rows.
  private func meet() {
    if isSharedByColumns { barrier.wait() }
  }

  /// Values for a product: themselves, or operands made of them in `space`.
  private func operands(of values: Rows, _ rows: Int, _ columns: Int, in space: Rows?) -> Rows {
    guard let makeOperands = unsafe kernels.set.makeOperands, let space = unsafe space else {
      return unsafe values
    }
    unsafe makeOperands(rows, columns, values.base, values.stride, space.base, space.stride)
    return unsafe space
  }

  private func product(
    _ layer: KeyPath<BlockWeights, LinearLayer>, _ block: Int, _ panels: Range<Int>, rows: Int,
    x: Rows, residual: Matrix? = nil, y: Rows
  ) {
    var layer = unsafe weights.blocks[block][keyPath: layer]
    unsafe kernels.set.product(
      &layer, panels.lowerBound, panels.upperBound, rows, x.base, x.stride, residual?.base,
      residual?.stride ?? 0, y.base, y.stride)
  }
}
