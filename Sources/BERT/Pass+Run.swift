/// What one lane knows while it runs a pass.
struct LaneState {
  let rank: Int
  let laneCount: Int
  /// Its own workspace, and the lead's.
  let own: Workspace
  let lead: Workspace

  /// This lane's part when columns are shared out.
  func share(of panels: Range<Int>) -> Range<Int> {
    let first = panels.lowerBound + panels.count * rank / laneCount
    return first..<(panels.lowerBound + panels.count * (rank + 1) / laneCount)
  }
}

extension Pass {
  /// One lane's whole way through the pass. All lanes call it; when it returns on the lead, the
  /// results are complete.
  func run(rank: Int) {
    let lane = LaneState(
      rank: rank, laneCount: workspaces.count, own: workspaces[rank], lead: workspaces[0])
    // Steps begun; all lanes count alike.
    var step = 0
    if !plan.stages.isEmpty {
      shareRows(plan.rowCount, lane, &step) { embed($0, lane) }
    }
    for (block, stage) in plan.stages.enumerated() {
      shareItems(stage.itemCount, lane, &step) { attend($0, block, lane) }
      shareRows(stage.outputRowCount, lane, &step) { transform($0, block, lane) }
    }
    if !plan.pooledEntries.isEmpty {
      shareRows(plan.pooledEntries.count, lane, &step) { pool($0, lane) }
    }
    shareItems(plan.entries.count, lane, &step) { collect($0, lane) }
  }

  /// Where a lane finds the hidden states before a block.
  func hidden(before block: Int, _ lane: LaneState) -> Matrix {
    unsafe (isSharedByColumns ? lane.own : lane.lead).hidden[block & 1]
  }

  /// The same for products.
  func operands(before block: Int, _ lane: LaneState) -> Rows {
    unsafe (isSharedByColumns ? lane.own : lane.lead).hiddenOperands
      ?? hidden(before: block, lane).rows
  }

  /// A step whose work is `count` items, taken one by one.
  private func shareItems(
    _ count: Int, _ lane: LaneState, _ step: inout Int, _ body: (Int) -> Void
  ) {
    let work = beginStep(lane, &step)
    while let index = work.take(of: count) { body(index) }
    barrier.wait()
  }

  /// A step whose work is rows, taken some at a time; or all by everybody, who then do some of
  /// their columns.
  private func shareRows(
    _ count: Int, _ lane: LaneState, _ step: inout Int, _ body: (Range<Int>) -> Void
  ) {
    let work = beginStep(lane, &step)
    if isSharedByColumns {
      body(0..<count)
    } else {
      let parts = RowParts(
        count: count, takers: lane.laneCount,
        sizes: min(2 * kernels.tileRows, blockRows)...blockRows)
      while let rows = work.take(parts) { body(rows) }
    }
    barrier.wait()
  }

  /// Steps use the two of `work` in turns. That of the next step was last used before the barrier
  /// that began this one, and is next used after the one that ends it.
  private func beginStep(_ lane: LaneState, _ step: inout Int) -> SharedWork {
    step += 1
    if lane.rank == 0 { work[(step + 1) % 2].reset() }
    return work[step % 2]
  }
}
