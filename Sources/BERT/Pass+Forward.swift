import CKernels
import Checkpoints

/// The forward pass, from the token ids to the entries of the map.
extension Pass {
  /// One thread's whole way through the pass. All threads call it; when it returns on the lead, the
  /// results are complete.
  func forward(rank: Int) {
    let thread = ThreadState(
      rank: rank, threadCount: workspaces.count, own: workspaces[rank], lead: workspaces[0])
    // Steps begun; all threads count alike.
    var step = 0
    if !plan.stages.isEmpty {
      shareRows(plan.rowCount, thread, &step) { embed($0, thread) }
    }
    for (block, stage) in plan.stages.enumerated() {
      if shape.configuration.normsQueriesAndKeys {
        shareRows(stage.rowCount, thread, &step, alwaysByRows: true) {
          normalizeQueriesKeys($0, block, thread)
        }
      }
      shareItems(stage.itemCount, thread, &step) { attend($0, block, thread) }
      shareRows(stage.outputRowCount, thread, &step) { transform($0, block, thread) }
    }
    if !plan.pooledEntries.isEmpty {
      shareRows(plan.pooledEntries.count, thread, &step) { pool($0, thread) }
    }
    if let rows = maskedLMRows {
      let hidden = unsafe operands(before: shape.configuration.blockCount, thread)
      shareItems(rows.ranges.count, thread, &step) {
        unsafe rows.prepare(rows.ranges[$0], from: hidden)
      }
      shareItems(rows.partCount, thread, &step) { rows.predict($0) }
    }
    shareItems(plan.entries.count, thread, &step) { collect($0, thread) }
  }

  // MARK: Steps

  /// Embeddings of some rows, and what the first block's attention needs of them.
  func embed(_ rows: Range<Int>, _ thread: ThreadState) {
    let hidden = unsafe hidden(before: 0, thread)
    let operands = unsafe operands(before: 0, thread)
    let projectsFirst = shape.configuration.projectsFirst
    // [rows, E] and for products; the hidden states themselves without a projection.
    var embedded = unsafe hidden.from(rows.lowerBound)
    var factors = unsafe operands.from(rows.lowerBound)
    if unsafe weights.projection != nil {
      unsafe (embedded, factors) = (thread.own.attended, thread.own.attendedOperands)
    }
    unsafe plan.ids.withUnsafeBufferPointer { ids in
      unsafe plan.positions.withUnsafeBufferPointer { positions in
        unsafe plan.types.withUnsafeBufferPointer { types in
          var input = unsafe EmbeddingInput(
            ids: ids.baseAddress! + rows.lowerBound,
            positions: positions.baseAddress! + rows.lowerBound,
            types: types.baseAddress! + rows.lowerBound,
            wordTable: weights.wordTable, positionTable: weights.positionTable,
            typeTable: weights.typeTable)
          func embed(_ norm: UnsafePointer<LayerNorm>?) {
            unsafe kernels.set.embed(
              &input, norm, shape.configuration.embeddingSize, rows.count, embedded.base,
              embedded.stride, factors.base, factors.stride)
          }
          let first = unsafe projectsFirst ? nil : weights.embeddingNorm
          if var norm = unsafe first { unsafe embed(&norm) } else { embed(nil) }
        }
      }
    }
    if var projection = unsafe weights.projection {
      let size = shape.configuration.hiddenSize
      // Each thread has hidden states of its own where columns are shared: it makes all of them.
      unsafe kernels.set.product(
        &projection, 0, kernels.panelCount(outputs: size), rows.count, factors.base, factors.stride,
        nil, 0, hidden.rows.row(rows.lowerBound), hidden.rows.stride)
      unsafe kernels.set.makeFloatOperands(
        rows.count, size, hidden.row(rows.lowerBound), hidden.stride,
        operands.row(rows.lowerBound), operands.stride)
      if projectsFirst, let norm = unsafe weights.embeddingNorm {
        let hidden = unsafe hidden.from(rows.lowerBound)
        unsafe layerNorm(
          norm, rows.count, hidden, to: hidden, operands.from(rows.lowerBound))
      }
    }
    clearPadding(of: rows, before: 0, thread)
    if let norm = unsafe inputNorm(of: 0) {
      unsafe normalize(
        norm, rows.count, hidden.from(rows.lowerBound), to: operands.from(rows.lowerBound),
        by: thread.own.attended)
    }
    projectQueriesKeysValues(rows, 0, thread)
  }

  /// Sets what goes into a block to 0 in those of some rows that are padding, where the model does so.
  func clearPadding(of rows: Range<Int>, before block: Int, _ thread: ThreadState) {
    let hidden = unsafe hidden(before: block, thread)
    let operands = unsafe operands(before: block, thread)
    let size = shape.configuration.hiddenSize
    for blank in plan.blankRows where blank.overlaps(rows) {
      let blank = blank.clamped(to: rows)
      for row in blank { unsafe hidden.row(row).update(repeating: 0, count: size) }
      unsafe kernels.set.makeFloatOperands(
        blank.count, size, hidden.row(blank.lowerBound), hidden.stride,
        operands.row(blank.lowerBound), operands.stride)
    }
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
    // What is left is padding.
    let queryCount =
      shape.configuration.paddingAttendsUniformly ? entry.attendedCount : entry.rows.count
    var relative = unsafe weights.blocks[block].relative
    unsafe relative.keys = relative.keys.map { unsafe $0 + column * size }
    unsafe relative.queries = relative.queries.map { unsafe $0 + column * size }
    var input = unsafe AttentionInput(
      queries: first, keys: first + hiddenSize * size, values: first + 2 * hiddenSize * size,
      ldQueries: projected.stride, ldKeys: projected.stride, queryCount: queryCount,
      keyCount: entry.attendedCount, headCount: item.heads.count, headSize: headSize,
      scale: weights.scoreScale, relative: relative,
      bias: weights.scoreBias?.row(item.heads.lowerBound), ldBias: weights.scoreBias?.stride ?? 0,
      window: weights.blocks[block].window)
    var output = entry.rows.lowerBound
    if isFirstRowOnly(entry, block) {
      if !projectsAllQueries {
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
      }
      unsafe input.queryCount = 1
      output = entry.resultRow
    }
    if var rotary = unsafe weights.blocks[block].rotary {
      // Of heads that nobody else reads: in place.
      func rotate(_ part: UnsafeRawPointer, _ rows: Int) {
        unsafe kernels.set.applyRotary(
          &rotary, rows, item.heads.count, headSize, UnsafeMutableRawPointer(mutating: part),
          projected.stride)
      }
      unsafe rotate(input.queries, input.queryCount)
      unsafe rotate(input.keys, input.keyCount)
    }
    if let mix = unsafe weights.blocks[block].mix {
      unsafe attend(&input, by: mix, to: context.from(output), thread)
    } else {
      unsafe kernels.set.attention(
        &input, context.row(output) + column * size, context.stride, thread.own.attentionScratch)
    }
    if queryCount < entry.rows.count, !isFirstRowOnly(entry, block) {
      let columns = column..<item.heads.upperBound * headSize
      unsafe averageValues(
        projected.from(entry.rows.lowerBound), columns, entry.rows.count,
        to: context.from(entry.rows.lowerBound), queryCount..<entry.rows.count)
    }
  }

  /// Attention of padding, whose scores are all the same: the mean of all values, padding's too.
  ///
  /// Summed in float64: the mean is much smaller than the values, and the layer norm would magnify its
  /// rounding error.
  ///
  /// - Parameters:
  ///   - projected: Q, K and V of the sequence's rows.
  ///   - columns: some heads'.
  private func averageValues(
    _ projected: Rows, _ columns: Range<Int>, _ count: Int, to context: Rows, _ padding: Range<Int>
  ) {
    let first = 2 * shape.configuration.hiddenSize
    var sums = [Double](repeating: 0, count: columns.count)
    for row in 0..<count {
      let values = unsafe projected.row(row)
      for (place, column) in columns.enumerated() {
        sums[place] += unsafe Double(kernels.value(values, first + column))
      }
    }
    let size = kernels.valueSize
    let mean = unsafe context.row(padding.lowerBound)
    for (place, column) in columns.enumerated() {
      unsafe kernels.setValue(mean, column, Float(sums[place] / Double(count)))
    }
    for row in padding.dropFirst() {
      unsafe (context.row(row) + columns.lowerBound * size).copyMemory(
        from: mean + columns.lowerBound * size, byteCount: columns.count * size)
    }
  }

  /// The rest of a block for some rows, and what the next block's attention needs of them.
  func transform(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) {
    let middle = unsafe addAttention(rows, block, thread)
    unsafe feedForward(rows.count, middle, block, thread)
    endBlock(rows, block, thread)
    if block == 0 { addConvolution(to: rows, thread) }
    if block + 1 < plan.stages.count {
      projectQueriesKeysValues(
        rows.clamped(to: 0..<plan.stages[block + 1].rowCount), block + 1, thread)
    }
  }

  /// Attention's output layer, what went into the block, and the norm.
  ///
  /// - Returns: what the feed-forward layer reads, and what is added to its result: [rows, H] each.
  private func addAttention(
    _ rows: Range<Int>, _ block: Int, _ thread: ThreadState
  ) -> (operands: Rows, residual: Matrix) {
    let size = shape.configuration.hiddenSize
    let context = unsafe thread.lead.context
    let (sum, attended) = unsafe (shared(thread).sum, thread.own.attended)
    let isPreNorm = shape.configuration.isPreNorm
    // The sum itself goes on in pre-norm, and its norm in post-norm.
    let total = unsafe isPreNorm ? shared(thread).attended : sum
    let input = unsafe residual(rows, block, thread)
    unsafe product(
      \.attentionOutput, block, panels(size, thread), rows: rows.count,
      x: operands(
        of: context.from(rows.lowerBound), rows.count, size, in: thread.own.contextOperands),
      residual: input, y: total.rows)
    meet()
    let norm = unsafe weights.blocks[block].middleNorm
    let space = unsafe thread.own.attendedOperands
    guard isPreNorm else {
      unsafe layerNorm(norm, rows.count, sum, to: attended, space)
      if let norm = unsafe weights.blocks[block].secondAttentionNorm {
        unsafe add(input, to: attended, rows.count)
        unsafe layerNorm(norm, rows.count, attended, to: attended, space)
      }
      return unsafe (space, attended)
    }
    // `attended` is taken: what only products read has another place.
    let isFloat = kernels.precision == .float32
    let operands = unsafe isFloat ? thread.own.sum.rows : space
    unsafe layerNorm(norm, rows.count, total, to: thread.own.sum, operands)
    return unsafe (operands, total)
  }

  /// The feed-forward layer and the residual, into `sum`.
  private func feedForward(
    _ rowCount: Int, _ input: (operands: Rows, residual: Matrix), _ block: Int,
    _ thread: ThreadState
  ) {
    let configuration = shape.configuration
    let intermediate = unsafe shared(thread).intermediate
    let wide = panels(configuration.intermediateSize, thread)
    unsafe product(
      \.intermediate, block, wide, rows: rowCount, x: input.operands, y: intermediate)
    unsafe applyGate(block, wide, rowCount, x: input.operands, to: intermediate, thread)
    meet()
    unsafe product(
      \.output, block, panels(configuration.hiddenSize, thread), rows: rowCount,
      x: operands(
        of: intermediate, rowCount, configuration.intermediateSize,
        in: thread.own.intermediateOperands),
      residual: input.residual, y: shared(thread).sum.rows)
    meet()
  }

  /// The norm of `sum`, or `sum` itself: what comes out of the block, and what the next one's products
  /// read.
  private func endBlock(_ rows: Range<Int>, _ block: Int, _ thread: ThreadState) {
    let configuration = shape.configuration
    let sum = unsafe shared(thread).sum
    let result = unsafe hidden(before: block + 1, thread).from(rows.lowerBound)
    let next = unsafe operands(before: block + 1, thread).from(rows.lowerBound)
    let isLast = block + 1 == configuration.blockCount
    let norm = unsafe isLast ? weights.finalNorm : nil
    if let norm = unsafe norm ?? weights.blocks[block].outputNorm {
      return unsafe layerNorm(norm, rows.count, sum, to: result, next)
    }
    for row in 0..<rows.count {
      unsafe result.row(row).update(from: sum.row(row), count: configuration.hiddenSize)
    }
    if block + 1 < plan.stages.count, let norm = unsafe inputNorm(of: block + 1) {
      unsafe normalize(norm, rows.count, result, to: next, by: thread.own.attended)
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
}
