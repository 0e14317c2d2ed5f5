import CKernels
import Synchronization

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
  /// The workspace whose [few rows, …] matrices a block's products write: the lead's where threads share
  /// columns, else the thread's own.
  func shared(_ thread: ThreadState) -> Workspace { isSharedByColumns ? thread.lead : thread.own }

  /// Where a thread finds the hidden states before a block.
  func hidden(before block: Int, _ thread: ThreadState) -> Matrix {
    unsafe (isSharedByColumns ? thread.own : thread.lead).hidden[block & 1]
  }

  /// What the block's products read: the same, or what a norm or `makeOperands` made of it.
  func operands(before block: Int, _ thread: ThreadState) -> Rows {
    let workspace = isSharedByColumns ? thread.own : thread.lead
    let hasNorm = unsafe inputNorm(of: block) != nil
    let isItself = kernels.precision == .float32 && !hasNorm
    return unsafe (isItself ? nil : workspace.hiddenOperands) ?? hidden(before: block, thread).rows
  }

  /// The norm before a block's attention; nil if there is none, and past the last block.
  func inputNorm(of block: Int) -> LayerNorm? {
    unsafe block < weights.blocks.count ? weights.blocks[block].inputNorm : nil
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
  ///
  /// - Parameter alwaysByRows: whether rows are shared out even where columns are elsewhere.
  func shareRows(
    _ count: Int, _ thread: ThreadState, _ step: inout Int, alwaysByRows: Bool = false,
    _ body: (Range<Int>) -> Void
  ) {
    let work = beginStep(thread, &step)
    if isSharedByColumns, !alwaysByRows {
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

/// Rows in parts that some threads take one by one: in rounds of equal parts, large ones first, so
/// that threads of one speed end together and others soon after each other.
struct RowParts {
  let count: Int
  let takers: Int
  /// Rows of a part, but for a last round of fewer.
  let sizes: ClosedRange<Int>

  /// The part at an index; empty past the last.
  subscript(index: Int) -> Range<Int> {
    var start = 0
    for _ in 0..<index / takers where start < count { start += size(from: start) * takers }
    let size = size(from: start)
    let first = min(start + index % takers * size, count)
    return first..<min(first + size, count)
  }

  /// Rows of each part of the round that begins at `start`.
  private func size(from start: Int) -> Int {
    let remaining = count - start
    let half = remaining / (2 * takers)
    // Too few for two rounds.
    if half < sizes.lowerBound, remaining <= takers * sizes.upperBound {
      return max(1, (remaining + takers - 1) / takers)
    }
    return min(max(half, sizes.lowerBound), sizes.upperBound)
  }
}

/// Work of a number of parts that threads take until there is none left.
final class SharedWork: Sendable {
  private let taken = Atomic(0)

  /// Takes the next of `count` parts; nil if there is none.
  func take(of count: Int) -> Int? {
    let index = taken.add(1, ordering: .relaxed).oldValue
    return index < count ? index : nil
  }

  /// Takes the next of some parts of rows; nil if there is none.
  func take(_ parts: RowParts) -> Range<Int>? {
    let rows = parts[taken.add(1, ordering: .relaxed).oldValue]
    return rows.isEmpty ? nil : rows
  }

  /// Makes all of it available again. Nobody may be taking.
  func reset() { taken.store(0, ordering: .relaxed) }
}
