import CKernels

/// How scores are mixed over heads before softmax, and what it gives after it: [A, A] each, from head to
/// head.
@unsafe
struct HeadMix {
  let scores, weights: UnsafePointer<Float>
}

/// Room for one sequence's attention with mixed heads.
@unsafe
struct MixSpace {
  /// [H], values: what each column of the queries is multiplied by.
  let factors: Rows
  /// [rows, H], values.
  let queries, results: Rows
  /// [rows, H]
  let sums: Matrix
}

/// Attention of talking heads.
///
/// Source: Shazeer et al., Talking-Heads Attention (arXiv 2003.02436).
extension Pass {
  /// A mixed score of head h is the sum over heads k of scores[k, h] · (query · key of k): one product over
  /// all H columns, with the query's columns of head k multiplied by scores[k, h]. So each mixed head is
  /// computed as one head of size H, and what it gives for the values of head g is added times
  /// weights[h, g].
  func attend(
    _ input: inout AttentionInput, by mix: HeadMix, to output: Rows, _ thread: ThreadState
  ) {
    guard let space = unsafe thread.own.mix else { return }
    let heads = unsafe input.headCount
    let (size, rows) = unsafe (input.headSize, input.queryCount)
    let width = heads * size
    let (queries, ldQueries) = unsafe (input.queries, input.ldQueries)
    unsafe (input.headCount, input.headSize) = (1, width)
    unsafe (input.queries, input.ldQueries) = (
      UnsafeRawPointer(space.queries.base), space.queries.stride
    )
    for row in 0..<rows { unsafe space.sums.row(row).update(repeating: 0, count: width) }
    for head in 0..<heads {
      for column in 0..<width {
        unsafe kernels.setValue(
          space.factors.base, column, mix.scores[column / size * heads + head])
      }
      for row in 0..<rows {
        unsafe space.queries.row(row).copyMemory(
          from: queries + row * ldQueries, byteCount: width * kernels.valueSize)
      }
      unsafe kernels.set.multiply(
        rows, width, space.queries.base, space.queries.stride, space.factors.base, 0)
      unsafe kernels.set.attention(
        &input, space.results.base, space.results.stride, thread.own.attentionScratch)
      for row in 0..<rows {
        let (sums, results) = unsafe (space.sums.row(row), space.results.row(row))
        for other in 0..<heads {
          let weight = unsafe mix.weights[head * heads + other]
          for column in other * size..<(other + 1) * size {
            unsafe sums[column] += weight * kernels.value(results, column)
          }
        }
      }
    }
    for row in 0..<rows {
      for column in 0..<width {
        unsafe kernels.setValue(output.row(row), column, space.sums.row(row)[column])
      }
    }
  }
}
