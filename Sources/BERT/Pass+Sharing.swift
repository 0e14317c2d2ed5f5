/// What one thread knows while it runs a pass.
struct ThreadState {
  let rank: Int
  let threadCount: Int
  /// Its own workspace, and the lead's.
  let own: Workspace
  let lead: Workspace

  /// This thread's part when columns are shared out.
  func share(of panels: Range<Int>) -> Range<Int> {
    let first = panels.lowerBound + panels.count * rank / threadCount
    return first..<(panels.lowerBound + panels.count * (rank + 1) / threadCount)
  }
}

/// How the work of a step is shared out.
extension Pass {
  /// Where a thread finds the hidden states before a block.
  func hidden(before block: Int, _ thread: ThreadState) -> Matrix {
    unsafe (isSharedByColumns ? thread.own : thread.lead).hidden[block & 1]
  }

  /// The same for products.
  func operands(before block: Int, _ thread: ThreadState) -> Rows {
    unsafe (isSharedByColumns ? thread.own : thread.lead).hiddenOperands
      ?? hidden(before: block, thread).rows
  }

  /// A step whose work is `count` items, taken one by one.
  func shareItems(
    _ count: Int, _ thread: ThreadState, _ step: inout Int, _ body: (Int) -> Void
  ) {
    let work = beginStep(thread, &step)
    while let index = work.take(of: count) { body(index) }
    barrier.wait()
  }

  /// A step whose work is rows, taken some at a time; or all by everybody, who then do some of
  /// their columns.
  func shareRows(
    _ count: Int, _ thread: ThreadState, _ step: inout Int, _ body: (Range<Int>) -> Void
  ) {
    let work = beginStep(thread, &step)
    if isSharedByColumns {
      body(0..<count)
    } else {
      let parts = RowParts(
        count: count, takers: thread.threadCount,
        sizes: min(2 * kernels.tileRows, blockRows)...blockRows)
      while let rows = work.take(parts) { body(rows) }
    }
    barrier.wait()
  }

  /// Steps use the two of `work` in turns. That of the next step was last used before the barrier
  /// that began this one, and is next used after the one that ends it.
  private func beginStep(_ thread: ThreadState, _ step: inout Int) -> SharedWork {
    step += 1
    if thread.rank == 0 { work[(step + 1) % 2].reset() }
    return work[step % 2]
  }

  /// The panels that this thread computes of a layer with so many outputs.
  func panels(_ outputs: Int, _ thread: ThreadState) -> Range<Int> {
    let all = 0..<kernels.panelCount(outputs: outputs)
    return isSharedByColumns ? thread.share(of: all) : all
  }

  /// Waits for the threads that compute the other columns of the same rows.
  func meet() {
    if isSharedByColumns { barrier.wait() }
  }
}
