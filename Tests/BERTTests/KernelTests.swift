import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Every kernel set that this CPU runs against the scalar one, on sizes around its tiles.
struct KernelTests {
  static let scalar = sets.last!
  static let sets: [NamedSet] = {
    var result: [NamedSet] = []
    var index = 0
    while let set = unsafe kernelSet(index) {
      if unsafe set.pointee.isSupported() { unsafe result.append(NamedSet(set: set.pointee)) }
      index += 1
    }
    return result
  }()

  @safe
  struct NamedSet: CustomTestStringConvertible, @unchecked Sendable {
    @unsafe let set: KernelSet
    var testDescription: String { unsafe String(cString: set.name) }
  }

  /// A layer with its memory.
  @safe
  final class Layer {
    let inputs: Int
    let outputs: Int
    let packed: GuardedFloats
    let bias: GuardedFloats
    private let activation = UnsafeMutablePointer<Activation>.allocate(capacity: 1)

    init(
      _ set: NamedSet, weights: [Float], bias: [Float], inputs: Int, kind: ActivationKind
    ) {
      self.inputs = inputs
      outputs = bias.count
      self.bias = GuardedFloats(bias, guarded: .after)
      let width = unsafe set.set.panelColumns
      let panels = (outputs + width - 1) / width
      packed = GuardedFloats(
        Array(repeating: .nan, count: panels * width * inputs), guarded: .after)
      let source = GuardedFloats(weights, guarded: .after)
      unsafe set.set.pack(source.pointer, outputs, inputs, 0, panels, packed.pointer)
      unsafe activation.initialize(to: Activation())
      unsafe set.set.prepareActivation(kind, activation)
    }

    deinit { unsafe activation.deallocate() }

    var linear: LinearLayer {
      unsafe LinearLayer(
        weights: packed.pointer, bias: bias.pointer, inputs: inputs, outputs: outputs,
        activation: activation)
    }
  }

  /// y of a product, with gaps between the rows that must stay as they were.
  static func product(
    _ set: NamedSet, _ layer: Layer, x: [Float], rows: Int, residual: [Float]?,
    side: GuardedFloats.Side, panels: Range<Int>? = nil
  ) -> [Float] {
    let gap = 3
    let ldx = layer.inputs + gap
    let ldy = layer.outputs + gap
    func spread(_ values: [Float], _ columns: Int, _ filler: Float) -> [Float] {
      var result: [Float] = []
      for row in 0..<rows {
        result += values[row * columns..<(row + 1) * columns]
        if row < rows - 1 { result += Array(repeating: filler, count: gap) }
      }
      return result
    }
    let input = GuardedFloats(spread(x, layer.inputs, .nan), guarded: side)
    let other = residual.map { GuardedFloats(spread($0, layer.outputs, .nan), guarded: side) }
    let blank = [Float](repeating: 7, count: rows * layer.outputs)
    let output = GuardedFloats(spread(blank, layer.outputs, 5), guarded: side)
    let width = unsafe set.set.panelColumns
    let panels = panels ?? 0..<((layer.outputs + width - 1) / width)
    var linear = unsafe layer.linear
    unsafe set.set.product(
      &linear, panels.lowerBound, panels.upperBound, rows, input.pointer, ldx, other?.pointer,
      ldy, output.pointer, ldy)
    let all = output.values
    for row in 0..<(rows - 1) {
      #expect(all[row * ldy + layer.outputs..<(row + 1) * ldy].allSatisfy { $0 == 5 })
    }
    return (0..<rows).flatMap { all[$0 * ldy..<$0 * ldy + layer.outputs] }
  }

  @Test(arguments: sets, GuardedFloats.Side.allCases)
  func products(_ set: NamedSet, _ side: GuardedFloats.Side) {
    var random = SeededGenerator(seed: 1)
    let tileRows = unsafe set.set.tileRows
    for rows in 1...(2 * tileRows + 1) {
      for (inputs, outputs) in [(1, 1), (5, 16), (32, 17), (191, 31), (192, 32), (401, 65)] {
        let weights = random.floats(inputs * outputs)
        let bias = random.floats(outputs)
        let x = random.floats(rows * inputs)
        let residual = rows % 2 == 0 ? random.floats(rows * outputs) : nil
        let layer = Layer(set, weights: weights, bias: bias, inputs: inputs, kind: ActivationNone)
        let oracle = Layer(
          Self.scalar, weights: weights, bias: bias, inputs: inputs, kind: ActivationNone)
        let y = Self.product(set, layer, x: x, rows: rows, residual: residual, side: side)
        let expected = Self.product(
          Self.scalar, oracle, x: x, rows: rows, residual: residual, side: side)
        // Sums of up to 401 terms below 1, rounded in another order: a few ulps of √401 each.
        #expect(
          largestDifference(y, expected) < 2e-5, "\(rows) rows, \(inputs) × \(outputs)")
      }
    }
  }

  @Test(arguments: sets)
  func productsDoNotDependOnHeightOrPanels(_ set: NamedSet) {
    var random = SeededGenerator(seed: 2)
    let (inputs, outputs, rows) = (389, 77, 31)
    let layer = Layer(
      set, weights: random.floats(inputs * outputs), bias: random.floats(outputs),
      inputs: inputs, kind: ActivationGELUErf)
    let x = random.floats(rows * inputs)
    let whole = Self.product(set, layer, x: x, rows: rows, residual: nil, side: .after)
    for start in 0..<rows {
      for count in 1...(rows - start) {
        let part = Self.product(
          set, layer, x: Array(x[start * inputs..<(start + count) * inputs]), rows: count,
          residual: nil, side: count % 2 == 0 ? .before : .after)
        #expect(
          isIdentical(part, Array(whole[start * outputs..<(start + count) * outputs])),
          "rows \(start) to \(start + count)")
      }
    }
    let width = unsafe set.set.panelColumns
    for panel in 0..<((outputs + width - 1) / width) {
      let part = Self.product(
        set, layer, x: x, rows: rows, residual: nil, side: .before, panels: panel..<panel + 1)
      for row in 0..<rows {
        for column in 0..<outputs {
          let isInside = column / width == panel
          let expected = isInside ? whole[row * outputs + column] : 7
          #expect(part[row * outputs + column].bitPattern == expected.bitPattern)
        }
      }
    }
  }

  /// Activations through a layer that passes its input on.
  @Test(
    arguments: sets,
    [ActivationReLU, ActivationGELUErf, ActivationGELUTanh, ActivationTanh].map(\.rawValue))
  func activations(_ set: NamedSet, _ raw: Int32) {
    let kind = ActivationKind(rawValue: raw)
    let layer = Layer(set, weights: [1], bias: [0], inputs: 1, kind: kind)
    var x: [Float] = [0, -0.0, 1e-30, -1e-30, 100, -100, 3e38]
    for step in -90_000...90_000 { x.append(Float(step) * 1e-4) }
    let y = Self.product(set, layer, x: x, rows: x.count, residual: nil, side: .after)
    var worst: (error: Double, x: Float) = (0, 0)
    for (x, y) in zip(x, y) {
      let exact = Self.activated(kind, Double(x))
      // In units of float's resolution at the larger of the result and, for GELU, x itself: the
      // framework's own x · (1 + erf) rounds 1 + erf.
      let scale = kind == ActivationTanh ? max(abs(exact), 1e-30) : max(abs(exact), abs(Double(x)))
      let error = abs(Double(y) - exact) / max(scale, 1e-30) * 0x1p24
      if error > worst.error || error.isNaN { worst = (error, x) }
    }
    #expect(worst.error < 3, "at \(worst.x)")
  }

  static func activated(_ kind: ActivationKind, _ x: Double) -> Double {
    switch kind {
    case ActivationReLU: max(x, 0)
    case ActivationGELUErf: 0.5 * x * erfc(-x * 0.5.squareRoot())
    case ActivationGELUTanh:
      x / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case ActivationTanh: tanh(x)
    default: x
    }
  }

  @Test(arguments: sets)
  func attention(_ set: NamedSet) {
    var random = SeededGenerator(seed: 3)
    for headSize in [1, 5, 16, 20, 32, 48, 64, 80] {
      for (queries, keys) in [(1, 1), (1, 37), (7, 7), (15, 16), (33, 17), (40, 65)] {
        let heads = 3
        let columns = heads * headSize
        let ld = columns + 5
        let rows = max(queries, keys)
        let q = random.floats(rows * ld, in: -3...3)
        let k = random.floats(rows * ld, in: -3...3)
        let v = random.floats(rows * ld)
        let y = Self.attend(set, q, k, v, ld, queries, keys, heads, headSize)
        let expected = Self.attend(Self.scalar, q, k, v, ld, queries, keys, heads, headSize)
        // Scores up to 9 · √80 lose 1e-5 in float32, whoever adds them up.
        #expect(largestDifference(y, expected) < 4e-5, "\(headSize), \(queries) × \(keys)")
        let one = Self.attend(
          set, Array(q[(queries - 1) * ld..<queries * ld]), k, v, ld, 1, keys, heads, headSize)
        #expect(isIdentical(one, Array(y[(queries - 1) * columns..<queries * columns])))
      }
    }
  }

  static func attend(
    _ set: NamedSet, _ q: [Float], _ k: [Float], _ v: [Float], _ ld: Int, _ queries: Int,
    _ keys: Int, _ heads: Int, _ headSize: Int
  ) -> [Float] {
    // Neither the gap of the last row nor unattended rows may be read.
    func cut(_ values: [Float], _ rows: Int) -> GuardedFloats {
      GuardedFloats(Array(values[..<((rows - 1) * ld + heads * headSize)]), guarded: .after)
    }
    let (q, k, v) = (cut(q, queries), cut(k, keys), cut(v, keys))
    let y = GuardedFloats(
      Array(repeating: .nan, count: queries * heads * headSize), guarded: .after)
    let scratchCount = unsafe set.set.attentionScratch(keys, headSize)
    let scratch = GuardedFloats(Array(repeating: .nan, count: scratchCount), guarded: .after)
    var input = unsafe AttentionInput(
      queries: q.pointer, keys: k.pointer, values: v.pointer, ldQueries: ld, ldKeys: ld,
      queryCount: queries, keyCount: keys, headCount: heads, headSize: headSize)
    unsafe set.set.attention(&input, y.pointer, heads * headSize, scratch.pointer)
    return y.values
  }

  @Test(arguments: sets)
  func layerNorms(_ set: NamedSet) {
    var random = SeededGenerator(seed: 4)
    for columns in [1, 2, 15, 16, 17, 33, 63, 64, 65, 130, 384] {
      let rows = 3
      // A mean far from 0 shows a variance that cancels.
      let x = random.floats(rows * columns, in: 99...101)
      let scale = random.floats(columns)
      let shift = random.floats(columns)
      func normalized(_ set: NamedSet) -> [Float] {
        let (scale, shift) = (
          GuardedFloats(scale, guarded: .after), GuardedFloats(shift, guarded: .after)
        )
        let input = GuardedFloats(x, guarded: .after)
        let y = GuardedFloats(Array(repeating: .nan, count: x.count), guarded: .after)
        var norm = unsafe LayerNorm(
          scale: scale.pointer, shift: shift.pointer, epsilon: 1e-3, columns: columns)
        unsafe set.set.layerNorm(&norm, rows, input.pointer, columns, y.pointer, columns)
        return y.values
      }
      // The mean near 100 is rounded to 8e-6 / 2, and the deviations are about 0.6.
      #expect(largestDifference(normalized(set), normalized(Self.scalar)) < 6e-5, "\(columns)")
    }
  }

  @Test(arguments: sets)
  func embeddings(_ set: NamedSet) {
    var random = SeededGenerator(seed: 5)
    for columns in [1, 7, 16, 31, 80, 384] {
      let tables = [9, 6, 2].map { random.floats($0 * columns) }
      let ids: [Int32] = [8, 0, 3, 3]
      let positions: [Int32] = [0, 5, 2, 1]
      let types: [Int32] = [0, 1, 1, 0]
      func embedded(_ set: NamedSet) -> [Float] {
        let memory = tables.map { GuardedFloats($0, guarded: .after) }
        let ones = GuardedFloats(Array(repeating: 1, count: columns), guarded: .after)
        let y = GuardedFloats(Array(repeating: .nan, count: 4 * columns), guarded: .after)
        var norm = unsafe LayerNorm(
          scale: ones.pointer, shift: ones.pointer, epsilon: 1e-3, columns: columns)
        unsafe ids.withUnsafeBufferPointer { ids in
          unsafe positions.withUnsafeBufferPointer { positions in
            unsafe types.withUnsafeBufferPointer { types in
              var input = unsafe EmbeddingInput(
                ids: ids.baseAddress!, positions: positions.baseAddress!,
                types: types.baseAddress!, wordTable: memory[0].pointer,
                positionTable: memory[1].pointer, typeTable: memory[2].pointer)
              unsafe set.set.embed(&input, &norm, 4, y.pointer, columns)
            }
          }
        }
        return y.values
      }
      #expect(largestDifference(embedded(set), embedded(Self.scalar)) < 1e-5, "\(columns)")
    }
  }
}
