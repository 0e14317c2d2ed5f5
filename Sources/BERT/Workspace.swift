import CKernels
import Checkpoints

/// Where one thread keeps what it computes: room for the largest pass, made once.
///
/// In a pass whose rows are shared out, the lead's matrices of whole passes are everybody's, and
/// those of a few rows each thread's own; in one whose columns are, it is the other way round.
///
/// `@unchecked Sendable`: nothing changes after `init` but the memory, which the pass that runs on its
/// thread writes.
@safe
final class Workspace: @unchecked Sendable {
  /// [rows, H], twice: what goes into a block and what comes out, in turns.
  @unsafe let hidden: [Matrix]
  /// What the products of the next block read; nil where that is `hidden` itself.
  @unsafe let hiddenOperands: Rows?
  /// [rows, 3H], values: Q, K, V.
  @unsafe let queryKeyValue: Rows
  /// [rows, H]: what the pooler gives, in the same place when attention has ended.
  @unsafe let pooled: Matrix
  /// [rows, H], values: what attention gives.
  @unsafe let context: Rows

  /// [few rows, H]: before a layer norm, between attention and feed-forward, and a copy of
  /// scattered rows. The second one is wide enough for embeddings too. In pre-norm, `sum` also holds the
  /// norm's floats between attention and feed-forward.
  @unsafe let sum, attended, residual: Matrix
  /// [few rows, H]: `attended` for products, or itself.
  @unsafe let attendedOperands: Rows
  /// [few rows, F], values.
  @unsafe let intermediate: Rows
  /// [few rows, F], values: what the feed-forward layer is multiplied by; nil without gates.
  @unsafe let gates: Rows?
  /// [few rows, H] and [few rows, F]: values for products; nil where they read the values.
  @unsafe let contextOperands, intermediateOperands: Rows?

  /// [few rows, size · H]: what a convolution reads, and the same for products.
  @unsafe let convolved: (floats: Matrix, operands: Rows)?

  /// Where heads are mixed.
  @unsafe let mix: MixSpace?

  /// [rows, E]: what a masked-language-model head's decoder reads; nil without one.
  @unsafe let maskedLMOperands: Rows?

  /// The query of `[CLS]` alone.
  @unsafe let firstQuery: UnsafeMutableRawPointer
  @unsafe let attentionScratch: UnsafeMutablePointer<Float>

  private let arena: FloatArena
  /// The matrices with all rows of a pass.
  private let passMatrices: [Place]
  private let keptRows: Int

  var byteCount: Int { arena.size }

  /// - Parameters:
  ///   - rows: of the largest pass.
  ///   - keptRows: those whose memory stays when a pass has ended.
  ///   - fewRows: as many as a thread takes through a block at once.
  ///   - maskedLMSize: E of a masked-language-model head; nil without one.
  init(
    _ configuration: ModelConfiguration, kernels: Kernels, rows: Int, keptRows: Int, fewRows: Int,
    maskedLMSize: Int?
  ) throws(BERTError) {
    let hiddenSize = configuration.hiddenSize
    let intermediateSize = configuration.intermediateSize
    let longest = min(configuration.positionCount, rows)
    let isFloat = kernels.precision == .float32
    let makesOperands = unsafe kernels.set.makeOperands != nil
    var layout = ArenaLayout()
    /// A matrix with rows of so many bytes.
    func add(_ rows: Int, bytes: Int) -> Place {
      let columns = (bytes + MemoryLayout<Float>.size - 1) / MemoryLayout<Float>.size
      return Place(
        offset: layout.add(rows: rows, columns: columns),
        stride: ArenaLayout.stride(columns: columns))
    }
    func addFloats(_ rows: Int) -> Place { add(rows, bytes: hiddenSize * 4) }
    func addValues(_ rows: Int, _ columns: Int) -> Place {
      add(rows, bytes: columns * kernels.valueSize)
    }
    func addOperands(_ rows: Int, _ columns: Int) -> Place {
      add(rows, bytes: kernels.operandSize(columns))
    }
    let hidden = [addFloats(rows), addFloats(rows)]
    let hasOwnOperands = !isFloat || configuration.isPreNorm
    let hiddenOperands = hasOwnOperands ? addOperands(rows, hiddenSize) : nil
    let queryKeyValue = addValues(rows, 3 * hiddenSize)
    let context = addValues(rows, hiddenSize)
    let attendedSize = max(hiddenSize, configuration.embeddingSize)
    let narrow = [hiddenSize, attendedSize, hiddenSize].map { add(fewRows, bytes: $0 * 4) }
    let attendedOperands = isFloat ? nil : addOperands(fewRows, attendedSize)
    let intermediate = addValues(fewRows, intermediateSize)
    let gates = configuration.isGated ? addValues(fewRows, intermediateSize) : nil
    let contextOperands = makesOperands ? addOperands(fewRows, hiddenSize) : nil
    let intermediateOperands = makesOperands ? addOperands(fewRows, intermediateSize) : nil
    let maskedLMOperands = maskedLMSize.map { addOperands(rows, $0) }
    // A panel may reach past the queries' columns.
    let firstQuery = layout.add(hiddenSize + kernels.panelColumns)
    let relativeCount = configuration.disentangled.map { min($0.rowCount, 2 * longest - 1) } ?? 0
    let scratch = layout.add(
      unsafe kernels.set.attentionScratch(
        longest, configuration.mixesHeads ? hiddenSize : configuration.headSize, relativeCount))
    let convolved = configuration.convolution.map { convolution in
      let floats = add(fewRows, bytes: convolution.size * hiddenSize * 4)
      return (floats, isFloat ? floats : addOperands(fewRows, convolution.size * hiddenSize))
    }
    let mix =
      configuration.mixesHeads
      ? (
        factors: addValues(1, hiddenSize), queries: addValues(longest, hiddenSize),
        results: addValues(longest, hiddenSize), sums: addFloats(longest)
      ) : nil
    let arena = try FloatArena(count: layout.count, usesLargePages: keptRows >= rows)
    self.arena = arena
    self.keptRows = keptRows
    passMatrices =
      hidden + [hiddenOperands, queryKeyValue, context, maskedLMOperands].compactMap(\.self)

    unsafe self.hidden = hidden.map { unsafe $0.matrix(in: arena) }
    unsafe self.hiddenOperands = hiddenOperands.map { unsafe $0.matrix(in: arena).rows }
    unsafe pooled = queryKeyValue.matrix(in: arena)
    unsafe self.queryKeyValue = pooled.rows
    unsafe self.context = context.matrix(in: arena).rows
    unsafe sum = narrow[0].matrix(in: arena)
    unsafe attended = narrow[1].matrix(in: arena)
    unsafe residual = narrow[2].matrix(in: arena)
    unsafe self.attendedOperands = (attendedOperands ?? narrow[1]).matrix(in: arena).rows
    unsafe self.intermediate = intermediate.matrix(in: arena).rows
    unsafe self.gates = gates.map { unsafe $0.matrix(in: arena).rows }
    unsafe self.contextOperands = contextOperands.map { unsafe $0.matrix(in: arena).rows }
    unsafe self.intermediateOperands = intermediateOperands.map {
      unsafe $0.matrix(in: arena).rows
    }
    unsafe self.convolved = convolved.map {
      unsafe (floats: $0.matrix(in: arena), operands: $1.matrix(in: arena).rows)
    }
    unsafe self.mix = mix.map {
      unsafe MixSpace(
        factors: $0.factors.matrix(in: arena).rows, queries: $0.queries.matrix(in: arena).rows,
        results: $0.results.matrix(in: arena).rows, sums: $0.sums.matrix(in: arena))
    }
    unsafe self.maskedLMOperands = maskedLMOperands.map { unsafe $0.matrix(in: arena).rows }
    unsafe self.firstQuery = UnsafeMutableRawPointer(arena.floats(at: firstQuery))
    unsafe attentionScratch = arena.floats(at: scratch)
  }

  /// Gives memory back that a pass of so many rows took, which has ended.
  func release(after rows: Int) {
    guard rows > keptRows else { return }
    for place in passMatrices {
      arena.release(place.offset + keptRows * place.stride..<place.offset + rows * place.stride)
    }
  }

  /// A matrix of the arena, in floats, whatever it will hold.
  private struct Place {
    var offset: Int
    var stride: Int

    func matrix(in arena: FloatArena) -> Matrix {
      unsafe Matrix(base: arena.floats(at: offset), stride: stride)
    }
  }
}
