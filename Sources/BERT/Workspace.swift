import CKernels
import Checkpoints

/// Where one lane keeps what it computes: room for the largest pass, made once.
///
/// In a pass whose rows are shared out, the lead's matrices of whole passes are everybody's, and
/// those of a few rows each lane's own; in one whose columns are, it is the other way round.
///
/// `@unchecked Sendable`: used only by the pass that runs on its lane.
@safe
final class Workspace: @unchecked Sendable {
  /// [rows, H], twice: what goes into a block and what comes out, in turns.
  @unsafe let hidden: [Matrix]
  /// [rows, 3H]: Q, K, V.
  @unsafe let queryKeyValue: Matrix
  /// [rows, H]: what attention gives; at the end, the rows that go into the pooler.
  @unsafe let context: Matrix

  /// [few rows, H]: before a layer norm, between attention and feed-forward, and a copy of
  /// scattered rows.
  @unsafe let sum, attended, residual: Matrix
  /// [few rows, F]
  @unsafe let intermediate: Matrix

  /// The query of `[CLS]` alone.
  @unsafe let firstQuery: UnsafeMutablePointer<Float>
  @unsafe let attentionScratch: UnsafeMutablePointer<Float>

  private let arena: FloatArena

  /// - Parameters:
  ///   - rows: of the largest pass.
  ///   - fewRows: as many as a lane takes through a block at once.
  init(
    _ configuration: ModelConfiguration, kernels: Kernels, rows: Int, fewRows: Int
  ) throws(BERTError) {
    let hiddenSize = configuration.hiddenSize
    let longest = min(configuration.positionCount, rows)
    var layout = ArenaLayout()
    let wide = (0..<3).map { _ in layout.add(rows: rows, columns: hiddenSize) }
    let queryKeyValue = layout.add(rows: rows, columns: 3 * hiddenSize)
    let narrow = (0..<3).map { _ in layout.add(rows: fewRows, columns: hiddenSize) }
    let intermediate = layout.add(rows: fewRows, columns: configuration.intermediateSize)
    // A panel may reach past the queries' columns.
    let firstQuery = layout.add(hiddenSize + kernels.panelColumns)
    let scratch = layout.add(
      unsafe kernels.set.attentionScratch(longest, configuration.headSize))
    let arena = try FloatArena(count: layout.count)
    self.arena = arena

    func matrix(_ offset: Int, _ columns: Int) -> Matrix {
      unsafe Matrix(base: arena.floats(at: offset), stride: ArenaLayout.stride(columns: columns))
    }
    unsafe hidden = [matrix(wide[0], hiddenSize), matrix(wide[1], hiddenSize)]
    unsafe context = matrix(wide[2], hiddenSize)
    unsafe self.queryKeyValue = matrix(queryKeyValue, 3 * hiddenSize)
    unsafe sum = matrix(narrow[0], hiddenSize)
    unsafe attended = matrix(narrow[1], hiddenSize)
    unsafe residual = matrix(narrow[2], hiddenSize)
    unsafe self.intermediate = matrix(intermediate, configuration.intermediateSize)
    unsafe self.firstQuery = arena.floats(at: firstQuery)
    unsafe attentionScratch = arena.floats(at: scratch)
  }
}
