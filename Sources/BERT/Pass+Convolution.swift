import CKernels
import Checkpoints

extension Pass {
  /// Adds the convolution of the first block's input to some rows of its result.
  func addConvolution(to rows: Range<Int>, _ thread: ThreadState) {
    guard let size = shape.configuration.convolution?.size,
      var layer = unsafe weights.convolution?.layer, let norm = unsafe weights.convolution?.norm,
      let space = unsafe thread.own.convolved
    else { return }
    let width = shape.configuration.hiddenSize
    for row in rows {
      unsafe gather(
        around: inputRow(of: row, 0), size, to: space.floats.row(row - rows.lowerBound), thread)
    }
    unsafe kernels.set.makeFloatOperands(
      rows.count, size * width, space.floats.base, space.floats.stride, space.operands.base,
      space.operands.stride)
    let sum = unsafe shared(thread).sum
    let panels = panels(width, thread)
    // Others may still read what the block left there.
    meet()
    unsafe kernels.set.product(
      &layer, panels.lowerBound, panels.upperBound, rows.count, space.operands.base,
      space.operands.stride, nil, 0, sum.rows.base, sum.rows.stride)
    meet()
    let result = unsafe hidden(before: 1, thread).from(rows.lowerBound)
    unsafe add(sum, to: result, rows.count)
    let operands = unsafe operands(before: 1, thread).from(rows.lowerBound)
    unsafe layerNorm(norm, rows.count, result, to: result, operands)
    // Those after the whole ones are first rows, which are no padding.
    let isLast = shape.configuration.blockCount == 1
    clearPadding(of: isLast ? rows.clamped(to: 0..<plan.wholeRowCount) : rows, before: 1, thread)
  }

  /// The columns of a row and its neighbours in the same text, those of one column side by side as the
  /// weights have them: [H, size].
  private func gather(
    around row: Int, _ size: Int, to window: UnsafeMutablePointer<Float>, _ thread: ThreadState
  ) {
    let hidden = unsafe hidden(before: 0, thread)
    let width = shape.configuration.hiddenSize
    for place in 0..<size {
      let neighbour = row + place - size / 2
      // Positions count the rows of a text from 0, as no family with a convolution has
      // `hasPaddingPosition`: those of another text differ.
      let isOfText =
        plan.positions.indices.contains(neighbour)
        && Int(plan.positions[neighbour]) == Int(plan.positions[row]) + place - size / 2
      for column in 0..<width {
        unsafe window[column * size + place] = isOfText ? hidden.row(neighbour)[column] : 0
      }
    }
  }
}
