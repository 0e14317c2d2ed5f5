import CKernels
import Checkpoints
import EncoderContract

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a masked-language-model head makes of the rows of a pass that it is asked for.
///
/// Rows become operands first. Then threads take parts of the vocabulary, and each multiplies all rows
/// with its part: so every weight is read once, and the logits of a row that are not asked for as
/// such are never all in memory.
///
/// `@unchecked Sendable`: `broken` is touched only inside `monitor`. The memory of `operands`, which is
/// the lead's, and `groups` is written in disjoint parts between barriers, and read after the last of
/// these.
@safe
final class MaskedLMRows: @unchecked Sendable {
  /// Some rows each, to be made operands of.
  let ranges: [Range<Int>]
  private let weights: MaskedLMWeights
  private let kernels: Kernels
  private let pooling: SparsePooling
  private let rows: [Row]
  /// One a sequence that asks for something.
  private let groups: [Group]
  /// By sequence.
  private let groupIndices: [Int: Int]
  /// [R, E], operands.
  private let operands: Rows
  private let monitor = Monitor()
  /// Indices of groups with a number that is not finite.
  private var broken: Set<Int> = []

  /// A row whose logits are used.
  private struct Row {
    /// After the last block.
    var source: Int
    /// Its group, and its place in it.
    var group: Int
    var place: Int
    /// What is kept of its logits; nil: none.
    var list: TokenList?
  }

  private static let rowsOfRange = 32
  private static let rowsOfProduct = 128

  /// Nil if no sequence asks for anything.
  ///
  /// - Parameter operands: room for all rows of the pass.
  init?(
    _ weights: MaskedLMWeights, _ plan: PassPlan, _ shape: ModelShape, _ kernels: Kernels,
    operands: Rows
  ) {
    self.weights = weights
    self.kernels = kernels
    let sparse = shape.sentence?.sparse
    pooling = sparse ?? SparsePooling()
    var rows: [Row] = []
    var groups: [Group] = []
    for entry in plan.entries {
      let selection = entry.selection
      let isSparse = sparse != nil && selection.contains(.sparseEmbedding)
      let predictions = selection.contains(.mlmLogits) ? selection.predictions : nil
      let isWhole = selection.contains(.mlmLogits) && predictions == nil
      guard isSparse || isWhole || predictions != nil else { continue }
      let first = rows.count
      for (row, id) in plan.ids[entry.rows].enumerated() {
        let isAttended = row < entry.attendedCount
        let isPredicted =
          predictions.map { $0.rowsOf == nil || isAttended && $0.rowsOf == id } ?? false
        guard isWhole || isPredicted || isSparse && isAttended else { continue }
        let list = isPredicted ? predictions : nil
        rows.append(
          Row(
            source: entry.resultRow + row, group: groups.count, place: rows.count - first,
            list: list.map {
              TokenList($0, row: row, weights.vocabularySize, weights.partCount)
            }))
      }
      groups.append(
        Group(
          sequence: entry.sequence, rows: first..<rows.count, weights.vocabularySize,
          isWhole: isWhole, sparse: isSparse ? pooling.strategy : nil,
          sparseCount: isSparse ? entry.attendedCount : 0))
    }
    if groups.isEmpty { return nil }
    self.rows = rows
    self.groups = groups
    groupIndices = Dictionary(
      uniqueKeysWithValues: groups.enumerated().map { ($1.sequence, $0) })
    ranges = stride(from: 0, to: rows.count, by: Self.rowsOfRange).map {
      $0..<min($0 + Self.rowsOfRange, rows.count)
    }
    unsafe self.operands = operands
  }

  /// Parts of the vocabulary.
  var partCount: Int { rows.isEmpty ? 0 : weights.partCount }

  // MARK: Steps

  /// Operands for the decoder, of some rows.
  ///
  /// - Parameter hidden: the last block's output, operands.
  func prepare(_ range: Range<Int>, from hidden: Rows) {
    guard let (dense: layer, norm: norm) = unsafe weights.transform else {
      let bytes = kernels.operandSize(weights.size)
      for index in range {
        unsafe operands.row(index).copyMemory(
          from: hidden.row(rows[index].source), byteCount: bytes)
      }
      return
    }
    unsafe prepare(range, from: hidden, layer, norm)
  }

  private func prepare(
    _ range: Range<Int>, from hidden: Rows, _ layer: LinearLayer, _ norm: LayerNorm
  ) {
    let (count, size) = (range.count, weights.size)
    let inputs = unsafe kernels.operandSize(layer.inputs)
    let gathered = UnsafeMutableRawPointer.allocate(
      byteCount: count * inputs, alignment: KernelAlignment)
    let dense = UnsafeMutablePointer<Float>.allocate(capacity: count * size)
    defer {
      unsafe gathered.deallocate()
      unsafe dense.deallocate()
    }
    for (place, row) in rows[range].enumerated() {
      unsafe (gathered + place * inputs).copyMemory(
        from: hidden.row(row.source), byteCount: inputs)
    }
    var (layer, norm) = unsafe (layer, norm)
    unsafe kernels.set.product(
      &layer, 0, kernels.panelCount(outputs: size), count, gathered, inputs, nil, 0, dense,
      size * MemoryLayout<Float>.size)
    let place = unsafe operands.row(range.lowerBound)
    if kernels.precision == .float32 {
      // These are the operands themselves.
      let floats = unsafe place.assumingMemoryBound(to: Float.self)
      unsafe kernels.set.layerNorm(
        &norm, count, dense, size, floats, operands.stride / MemoryLayout<Float>.stride, place,
        operands.stride)
    } else {
      unsafe kernels.set.layerNorm(&norm, count, dense, size, dense, size, place, operands.stride)
    }
  }

  /// Logits of all rows for a part of the vocabulary, and what is asked for of them.
  func predict(_ part: Int) {
    var layer = unsafe weights.parts[part]
    let first = part * weights.partSize
    let columns = unsafe layer.outputs
    let logits = UnsafeMutablePointer<Float>.allocate(
      capacity: min(rows.count, Self.rowsOfProduct) * columns)
    defer { unsafe logits.deallocate() }
    let stride = columns * MemoryLayout<Float>.size
    for start in Swift.stride(from: 0, to: rows.count, by: Self.rowsOfProduct) {
      let count = min(Self.rowsOfProduct, rows.count - start)
      unsafe kernels.set.product(
        &layer, 0, kernels.panelCount(outputs: columns), count, operands.row(start),
        operands.stride, nil, 0, logits, stride)
      for row in 0..<count {
        unsafe take(logits + row * columns, columns, of: start + row, from: first, part)
      }
    }
  }

  /// - Parameters:
  ///   - values: logits of the tokens from `first` on, `columns` of them.
  ///   - row: among all here.
  private func take(
    _ values: UnsafePointer<Float>, _ columns: Int, of row: Int, from first: Int, _ part: Int
  ) {
    let row = rows[row]
    let group = groups[row.group]
    var isFinite = true
    if let logits = unsafe group.logits {
      isFinite = unsafe copyFinite(
        1, columns, values, columns, logits + row.place * weights.vocabularySize + first)
    }
    if row.place < group.sparseCount {
      if let largest = unsafe group.largest {
        isFinite = unsafe takeLarger(columns, values, largest + first) && isFinite
      } else if let sums = unsafe group.sums {
        for column in 0..<columns {
          unsafe sums[first + column] += pooling.activation.weight(of: values[column])
        }
      }
    }
    if let list = row.list {
      isFinite = unsafe list.take(values, columns, from: first, part) && isFinite
    }
    if !isFinite { monitor.change { broken.insert(row.group) } }
  }

  // MARK: Results

  /// What a sequence asks for, when all parts are done. Called once a sequence, by one thread.
  func collect(_ entry: PassPlan.Entry, in pass: Pass) {
    guard let index = groupIndices[entry.sequence] else { return }
    let group = groups[index]
    var isBroken = monitor.wait { broken.contains(index) }
    let logits = unsafe group.logits.map { logits in
      unsafe Array(
        UnsafeBufferPointer(start: logits, count: group.rows.count * weights.vocabularySize))
    }
    let tokens = 0..<weights.vocabularySize
    var sparse: [Float]?
    if let largest = unsafe group.largest {
      sparse = tokens.map { unsafe Float(pooling.activation.weight(of: largest[$0])) }
    } else if let sums = unsafe group.sums {
      sparse = tokens.map { unsafe Float(sums[$0]) }
      isBroken = isBroken || sparse?.allSatisfy(\.isFinite) == false
    }
    group.release()
    var predicted = PredictedTokens()
    for row in rows[group.rows] { row.list?.append(to: &predicted) }
    isBroken = isBroken || !predicted.probabilities.allSatisfy(\.isFinite)
    pass.updateResult(of: entry.sequence) { result in
      if isBroken {
        result.failure = .notFinite(key: sparse == nil ? .mlmLogits : .sparseEmbedding)
      }
      if let logits { result[.mlmLogits] = logits }
      if let sparse { result[.sparseEmbedding] = sparse }
      result.predicted = predicted
    }
  }
}

/// The rows of one sequence, and what all threads write of them.
@safe
private final class Group {
  let sequence: Int
  /// Of all rows.
  let rows: Range<Int>
  /// First of them that count for `largest` and `sums`.
  let sparseCount: Int
  /// [rows, V]
  private(set) var logits: UnsafeMutablePointer<Float>?
  /// [V], the largest logit of each token.
  private(set) var largest: UnsafeMutablePointer<Float>?
  /// [V], the sum of the weights of each token.
  private(set) var sums: UnsafeMutablePointer<Double>?

  init(
    sequence: Int, rows: Range<Int>, _ vocabularySize: Int, isWhole: Bool,
    sparse: SparsePooling.Strategy?, sparseCount: Int
  ) {
    self.sequence = sequence
    self.rows = rows
    self.sparseCount = sparseCount
    if isWhole { unsafe logits = .allocate(capacity: rows.count * vocabularySize) }
    switch sparse {
    case nil: break
    case .max:
      unsafe largest = .allocate(capacity: vocabularySize)
      unsafe largest?.initialize(repeating: -.infinity, count: vocabularySize)
    case .sum:
      unsafe sums = .allocate(capacity: vocabularySize)
      unsafe sums?.initialize(repeating: 0, count: vocabularySize)
    }
  }

  deinit { release() }

  func release() {
    unsafe logits?.deallocate()
    unsafe largest?.deallocate()
    unsafe sums?.deallocate()
    unsafe (logits, largest, sums) = (nil, nil, nil)
  }
}

extension SparsePooling.Activation {
  fileprivate func weight(of logit: Float) -> Double {
    let weight = log1p(Double(max(logit, 0)))
    return self == .relu ? weight : log1p(weight)
  }
}
