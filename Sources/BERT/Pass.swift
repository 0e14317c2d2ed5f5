import CKernels
import Checkpoints
import EncoderContract

/// One batch on its way through the model, on some threads.
///
/// Every thread runs `forward` from beginning to end; steps that need each other's results are divided
/// by a barrier. There are two ways to share the work:
/// - **rows**: a thread takes some rows through a whole block, alone, then the next ones. Weights
///   are read again for each handful of rows, and threads meet twice per block.
/// - **columns**: for few rows. Each thread computes some columns of every product, so that each
///   weight is read once; threads meet after every product, and each keeps the hidden states of all
///   rows for itself.
///
/// Both, and any number of threads, give the same bits: the kernels see to that.
///
/// `@unchecked Sendable`: the workspaces belong to the threads, which the caller keeps for this
/// pass; inside, shared matrices are written in disjoint parts between barriers. The rest is
/// immutable or atomic; `results` is touched only inside `monitor`.
@safe
final class Pass: @unchecked Sendable {
  let plan: PassPlan
  let shape: ModelShape
  let weights: ModelWeights
  let kernels: Kernels
  /// One per thread; the lead's first.
  let workspaces: [Workspace]
  let barrier: ThreadBarrier
  let isSharedByColumns: Bool
  /// The most rows that a thread takes at once.
  let blockRows: Int
  /// What a masked-language-model head makes of its rows; nil where nothing of it is asked for.
  let maskedLMRows: MaskedLMRows?
  /// Guards `results`. Not a `Mutex`: the thread sanitizer does not see how that one works.
  private let monitor = Monitor()
  private var results: [EncodedSequence]
  /// Of the current step and of the next one, in turns.
  let work = [SharedWork(), SharedWork()]

  init(
    plan: PassPlan, sequences: [EncodedSequence], shape: ModelShape, weights: ModelWeights,
    kernels: Kernels, workspaces: [Workspace], limits: RowLimits,
    maskedLM: MaskedLMWeights? = nil
  ) {
    self.plan = plan
    self.shape = shape
    self.weights = weights
    self.kernels = kernels
    self.workspaces = workspaces
    barrier = ThreadBarrier(count: workspaces.count)
    isSharedByColumns = workspaces.count > 1 && plan.rowCount <= limits.sharedByColumns
    blockRows = limits.block
    results = sequences
    maskedLMRows = maskedLM.flatMap { weights in
      unsafe workspaces[0].maskedLMOperands.flatMap {
        unsafe MaskedLMRows(weights, plan, shape, kernels, operands: $0)
      }
    }
  }
}

extension Pass {
  func updateResult(of sequence: Int, _ body: (inout EncodedSequence) -> Void) {
    monitor.change { body(&results[sequence]) }
  }

  /// What the pass gave, when it has ended on the lead.
  func takeResults() -> [EncodedSequence] {
    monitor.wait { results }
  }
}

/// How many rows a thread handles at a time.
struct RowLimits {
  /// Rows that one thread takes through a block: what lies between the products stays in its
  /// second-level cache.
  var block: Int
  /// Passes of at most so many rows are shared by columns.
  var sharedByColumns: Int

  init(
    _ configuration: ModelConfiguration, kernels: Kernels, threadCount: Int, maxBatchRows: Int
  ) {
    let hiddenSize = configuration.hiddenSize
    // Bytes of a row between the products of a block (see `Workspace`): a set that widens panels has floats besides.
    let bytesPerRow =
      kernels.widensPanels
      ? 6 * configuration.intermediateSize + 20 * hiddenSize
      : 4 * (configuration.intermediateSize + 4 * hiddenSize)
    // With four times the rows bfloat16's passes were 1.02 to 1.05 times as fast (AVX2, MiniLM and L-4 H-512), though
    // they are in the third-level cache then. Each thread has memory for its rows: of many threads they are fewer.
    let factor = kernels.widensPanels ? max(1, min(4, 32 / threadCount)) : 1
    let blockBytes = factor * Self.blockBytes
    let tiles = max(2, blockBytes / bytesPerRow / kernels.tileRows)
    block = tiles * kernels.tileRows
    // A thread with fewer rows of its own would spend more on reading all weights for them than on
    // meeting the others; with int8, weights are small, and every thread makes all operands.
    let few = hiddenSize / (kernels.precision == .int8 ? 96 : 12)
    sharedByColumns = min(few * threadCount, Self.columnRows, maxBatchRows)
  }

  private static let blockBytes = 880 << 10
  private static let columnRows = 128

  var largest: Int { max(block, sharedByColumns) }
}
