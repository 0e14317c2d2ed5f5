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
/// `@unchecked Sendable`: operands, then logits and weights, are written in disjoint parts between
/// barriers, and read after the last of these; `isBroken` is touched only inside `monitor`.
@safe
final class MaskedLMRows: @unchecked Sendable {
  /// The rows of one sequence.
  @safe
  private struct Group {
    var sequence: Int
    /// Of all rows here.
    var rows: Range<Int>
    /// First of them that count for `sparse`.
    var sparseCount = 0
    /// [rows, V]
    var logits: UnsafeMutablePointer<Float>?
    /// [V], the largest logit of each token.
    var largest: UnsafeMutablePointer<Float>?
    /// [V], the sum of the weights of each token.
    var sums: UnsafeMutablePointer<Double>?
    var isBroken = false
  }

  /// Parts of the rows to be made operands of.
  let blocks: [Range<Int>]
  private let weights: MaskedLMWeights
  private let kernels: Kernels
  private let pooling: SparsePooling
  /// Rows after the last block: [R].
  private var sources: [Int] = []
  private var groups: [Group] = []
  /// Of each row: [R].
  private var groupOfRow: [Int] = []
  private var lists: [TokenList?] = []
  /// [R, E], operands.
  private let operands: Rows
  private let monitor = Monitor()

  private static let rowsOfBlock = 32
  private static let rowsOfProduct = 128

  /// Nil if no sequence asks for it.
  init?(_ weights: MaskedLMWeights, _ plan: PassPlan, _ shape: ModelShape, _ kernels: Kernels) {
    self.weights = weights
    self.kernels = kernels
    pooling = shape.sentence?.sparse ?? SparsePooling()
    let vocabularySize = weights.vocabularySize
    for entry in plan.entries {
      let selection = entry.selection
      let isSparse = selection.contains(.sparseEmbedding)
      let predictions = selection.contains(.mlmLogits) ? selection.predictions : nil
      let isWhole = selection.contains(.mlmLogits) && predictions == nil
      guard isSparse || isWhole || predictions != nil else { continue }
      let ids = plan.ids[entry.rows]
      let first = sources.count
      for (row, id) in ids.enumerated() {
        let isAttended = row < entry.attendedCount
        let isPredicted =
          predictions.map { $0.rowsOf == nil || isAttended && $0.rowsOf == id } ?? false
        guard isWhole || isPredicted || isSparse && isAttended else { continue }
        sources.append(entry.resultRow + row)
        groupOfRow.append(groups.count)
        lists.append(
          isPredicted
            ? predictions.map { TokenList($0, row: row, vocabularySize, weights.partCount) } : nil)
      }
      var group = unsafe Group(sequence: entry.sequence, rows: first..<sources.count)
      if isWhole {
        unsafe group.logits = .allocate(capacity: max(1, group.rows.count * vocabularySize))
      }
      if isSparse {
        group.sparseCount = entry.attendedCount
        switch pooling.strategy {
        case .max:
          unsafe group.largest = .allocate(capacity: vocabularySize)
          unsafe group.largest?.initialize(repeating: -.infinity, count: vocabularySize)
        case .sum:
          unsafe group.sums = .allocate(capacity: vocabularySize)
          unsafe group.sums?.initialize(repeating: 0, count: vocabularySize)
        }
      }
      groups.append(group)
    }
    let count = sources.count
    blocks = stride(from: 0, to: count, by: Self.rowsOfBlock).map {
      $0..<min($0 + Self.rowsOfBlock, count)
    }
    let stride = unsafe kernels.operandSize(weights.norm.columns)
    unsafe operands = Rows(
      base: .allocate(byteCount: max(1, count * stride), alignment: KernelAlignment), stride: stride
    )
    if groups.isEmpty { return nil }
  }

  deinit {
    unsafe operands.base.deallocate()
    for index in groups.indices { release(index) }
  }

  private func release(_ index: Int) {
    unsafe groups[index].logits?.deallocate()
    unsafe groups[index].largest?.deallocate()
    unsafe groups[index].sums?.deallocate()
    unsafe (groups[index].logits, groups[index].largest, groups[index].sums) = (nil, nil, nil)
  }

  /// Parts of the vocabulary.
  var partCount: Int { sources.isEmpty ? 0 : weights.partCount }

  // MARK: Steps

  /// Operands for the decoder of a block of rows.
  ///
  /// - Parameter hidden: the last block's output, operands.
  func prepare(_ block: Range<Int>, from hidden: Rows) {
    let (count, size) = unsafe (block.count, weights.norm.columns)
    let inputs = unsafe kernels.operandSize(weights.dense.inputs)
    let gathered = UnsafeMutableRawPointer.allocate(
      byteCount: count * inputs, alignment: KernelAlignment)
    let dense = UnsafeMutablePointer<Float>.allocate(capacity: count * size)
    defer {
      unsafe gathered.deallocate()
      unsafe dense.deallocate()
    }
    for (place, row) in sources[block].enumerated() {
      unsafe (gathered + place * inputs).copyMemory(from: hidden.row(row), byteCount: inputs)
    }
    var layer = unsafe weights.dense
    unsafe kernels.set.product(
      &layer, 0, kernels.panelCount(outputs: size), count, gathered, inputs, nil, 0, dense,
      size * MemoryLayout<Float>.size)
    var norm = unsafe weights.norm
    let place = unsafe operands.row(block.lowerBound)
    if kernels.precision == .float32 {
      // These are the operands themselves.
      let floats = unsafe place.assumingMemoryBound(to: Float.self)
      unsafe kernels.set.layerNorm(
        &norm, count, dense, size, floats, size, place, operands.stride)
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
      capacity: min(sources.count, Self.rowsOfProduct) * columns)
    defer { unsafe logits.deallocate() }
    let stride = columns * MemoryLayout<Float>.size
    for start in Swift.stride(from: 0, to: sources.count, by: Self.rowsOfProduct) {
      let count = min(Self.rowsOfProduct, sources.count - start)
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
  ///   - row: of all rows here.
  private func take(
    _ values: UnsafePointer<Float>, _ columns: Int, of row: Int, from first: Int, _ part: Int
  ) {
    let index = groupOfRow[row]
    let place = row - groups[index].rows.lowerBound
    var isFinite = true
    if let target = unsafe groups[index].logits {
      isFinite = unsafe copyFinite(
        1, columns, values, columns, target + place * weights.vocabularySize + first)
    }
    if place < groups[index].sparseCount {
      if let largest = unsafe groups[index].largest {
        isFinite = unsafe takeLarger(columns, values, largest + first) && isFinite
      } else if let sums = unsafe groups[index].sums {
        for column in 0..<columns {
          unsafe sums[first + column] += pooling.activation.weight(of: values[column])
        }
      }
    }
    if let list = lists[row] {
      isFinite = unsafe list.take(values, columns, from: first, part) && isFinite
    }
    if !isFinite { monitor.change { groups[index].isBroken = true } }
  }

  // MARK: Results

  /// What a sequence asks for, when all parts are done. Called once a sequence, by one thread.
  func collect(_ entry: PassPlan.Entry, in pass: Pass) {
    guard let index = groups.firstIndex(where: { $0.sequence == entry.sequence })
    else { return }
    let size = weights.vocabularySize
    let group = groups[index]
    var isBroken = group.isBroken
    var logits: [Float]?
    var sparse: [Float]?
    if let values = unsafe group.logits {
      logits = unsafe Array(
        UnsafeBufferPointer(start: values, count: group.rows.count * size))
    }
    if let largest = unsafe group.largest {
      sparse = (0..<size).map { Float(pooling.activation.weight(of: unsafe largest[$0])) }
    } else if let sums = unsafe group.sums {
      sparse = (0..<size).map { unsafe Float(sums[$0]) }
      isBroken = isBroken || sparse?.allSatisfy(\.isFinite) == false
    }
    var predicted = PredictedTokens()
    for list in lists[group.rows] {
      guard let list else { continue }
      list.append(to: &predicted)
    }
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

extension SparsePooling.Activation {
  fileprivate func weight(of logit: Float) -> Double {
    let weight = log1p(Double(max(logit, 0)))
    return self == .relu ? weight : log1p(weight)
  }
}

extension Pass {
  /// Operands for a masked-language-model head.
  func prepare(_ block: Range<Int>, _ rows: MaskedLMRows, _ thread: ThreadState) {
    unsafe rows.prepare(
      block, from: operands(before: shape.configuration.blockCount, thread))
  }
}
