import CKernels
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Every kernel set that this CPU runs against the scalar one of its precision, on sizes around
/// its tiles.
struct KernelTests {
  typealias Layer = NamedSet.Layer
  static let sets = NamedSet.all

  @Test(arguments: sets, Side.allCases)
  func products(_ set: NamedSet, _ side: Side) {
    var random = SeededGenerator(seed: 1)
    let tileRows = unsafe set.set.tileRows
    // Several pieces of a panel, and more rows than keep their sums from one to the next.
    let tall = [(580, 769, 17)]
    let shapes = (1...(2 * tileRows + 1)).map { rows in
      [(1, 1), (3, 2), (5, 16), (32, 17), (191, 31), (192, 32), (401, 65), (769, 17)]
        .map { (rows, $0.0, $0.1) }
    }
    for shapes in shapes + [tall] {
      for (rows, inputs, outputs) in shapes {
        let weights = random.floats(inputs * outputs)
        let bias = random.floats(outputs)
        let x = set.rounded(random.floats(rows * inputs))
        let residual = rows % 2 == 0 ? random.floats(rows * outputs) : nil
        let layer = Layer(set, weights: weights, bias: bias, inputs: inputs, kind: ActivationNone)
        let oracle = Layer(
          set.oracle, weights: weights, bias: bias, inputs: inputs, kind: ActivationNone)
        let y = set.product(layer, x: x, rows: rows, residual: residual, side: side)
        let expected = set.oracle.product(
          oracle, x: x, rows: rows, residual: residual, side: side)
        // Sums of up to 769 terms below 1, rounded in another order: a few ulps of √769 each.
        // Whole numbers are not rounded.
        #expect(
          set.isInt8
            ? y == expected : largestDifference(y, expected) < (inputs > 401 ? 4e-5 : 2e-5),
          "\(rows) rows, \(inputs) × \(outputs)")
      }
    }
  }

  /// What a product gives another one is what it would give as floats, rounded.
  @Test(arguments: sets, Side.allCases)
  func productsGiveValues(_ set: NamedSet, _ side: Side) {
    var random = SeededGenerator(seed: 6)
    for (inputs, outputs, rows) in [(1, 1, 1), (47, 33, 3), (130, 95, 17)] {
      let weights = random.floats(inputs * outputs)
      let bias = random.floats(outputs)
      let x = set.rounded(random.floats(rows * inputs))
      func layer(givesValues: Bool) -> Layer {
        Layer(
          set, weights: weights, bias: bias, inputs: inputs, kind: ActivationGELUErf,
          givesValues: givesValues)
      }
      let y = set.product(
        layer(givesValues: false), x: x, rows: rows, residual: nil, side: side)
      let values = set.values(layer(givesValues: true), x: x, rows: rows, side: side)
      #expect(isIdentical(values, set.rounded(y)), "\(inputs) × \(outputs)")
    }
  }

  @Test(arguments: sets)
  func productsDoNotDependOnHeightOrPanels(_ set: NamedSet) {
    var random = SeededGenerator(seed: 2)
    let (inputs, outputs, rows) = (389, 77, 31)
    let layer = Layer(
      set, weights: random.floats(inputs * outputs), bias: random.floats(outputs),
      inputs: inputs, kind: ActivationGELUErf)
    let x = set.rounded(random.floats(rows * inputs))
    let whole = set.product(layer, x: x, rows: rows, residual: nil, side: .after)
    for start in stride(from: 0, to: rows, by: 3) {
      for count in 1...(rows - start) {
        let part = set.product(
          layer, x: Array(x[start * inputs..<(start + count) * inputs]), rows: count,
          residual: nil, side: count % 2 == 0 ? .before : .after)
        #expect(
          isIdentical(part, Array(whole[start * outputs..<(start + count) * outputs])),
          "rows \(start) to \(start + count)")
      }
    }
    let width = unsafe set.set.panelColumns
    for panel in 0..<((outputs + width - 1) / width) {
      let part = set.product(
        layer, x: x, rows: rows, residual: nil, side: .before, panels: panel..<panel + 1)
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
    [ActivationReLU, ActivationGELUErf, ActivationGELUTanh, ActivationTanh, ActivationSiLU].map(
      \.rawValue))
  func activations(_ set: NamedSet, _ raw: Int32) {
    let kind = ActivationKind(rawValue: raw)
    let layer = Layer(set, weights: [1], bias: [0], inputs: 1, kind: kind)
    // The last is the largest that can be rotated before it is rounded to int8.
    var x: [Float] = [0, -0.0, 1e-30, -1e-30, 100, -100, -3e37, set.isInt8 ? 8e37 : 3e38]
    let step: Float = set.isFloat32 ? 1e-4 : 1e-2
    x += stride(from: -9, through: 9, by: step)
    x = set.rounded(x)
    let y = set.product(layer, x: x, rows: x.count, residual: nil, side: .after)
    var worst: (error: Double, x: Float) = (0, 0)
    for (x, y) in zip(x, y) {
      let exact = Self.activated(kind, Double(x))
      // In units of float's resolution at the larger of the result and, for GELU, x itself: the
      // framework's own x · (1 + erf) rounds 1 + erf.
      let isOwnUnit = kind == ActivationTanh || kind == ActivationSiLU
      // SiLU's x is clamped at -88, where the result is about -5e-37: an error is measured in units of at
      // least 1e-29 there.
      let least = kind == ActivationSiLU ? 1e-29 : 1e-30
      let scale = isOwnUnit ? abs(exact) : max(abs(exact), abs(Double(x)))
      let error = abs(Double(y) - exact) / max(scale, least) * 0x1p24
      if error > worst.error || error.isNaN { worst = (error, x) }
    }
    // At low precision the gate is off by 1e-5, a hundredth of the rounding of results. SiLU's error is
    // relative to its result, and e^x loses more the farther x is from 0.
    let limit: Double = kind == ActivationSiLU ? 12 : 3
    #expect(worst.error < (set.isFloat32 ? limit : 400), "at \(worst.x)")
  }

  static func activated(_ kind: ActivationKind, _ x: Double) -> Double {
    switch kind {
    case ActivationReLU: max(x, 0)
    case ActivationGELUErf: 0.5 * x * erfc(-x * 0.5.squareRoot())
    case ActivationGELUTanh:
      x / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case ActivationTanh: tanh(x)
    case ActivationSiLU: x / (1 + exp(-x))
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
        let rows = max(queries, keys)
        let q = set.rounded(random.floats(rows * columns, in: -3...3))
        let k = set.rounded(random.floats(rows * columns, in: -3...3))
        let v = set.rounded(random.floats(rows * columns))
        // From the key that is farthest before the last query to the one farthest behind the first.
        let distances = queries - 1 + keys
        let biases = random.floats(heads * distances, in: -4...4)
        for bias in [nil, biases] {
          func attend(
            _ set: NamedSet, _ q: [Float], _ queries: Int, _ bias: [Float]?
          ) -> [Float] {
            set.attend(
              q, k, v, queries: queries, keys: keys, heads: heads, headSize: headSize, bias: bias)
          }
          let y = attend(set, q, queries, bias)
          // Scores up to 9 · √80 lose 1e-5 in float32, whoever adds them up. Of lower precision the
          // numerators are rounded, by 2⁻⁹ of themselves at most, and both results.
          #expect(
            largestDifference(y, attend(set.oracle, q, queries, bias))
              < (set.isFloat32 ? 4e-5 : 3.1 * 0x1p-9),
            "\(headSize), \(queries) × \(keys), \(bias == nil ? "no " : "")bias")
          // The last query alone: of its distances, that to the first key is the first.
          let ofLast = bias.map { bias in
            (0..<heads).flatMap { bias[$0 * distances..<$0 * distances + keys] }
          }
          let one = attend(set, Array(q[(queries - 1) * columns..<queries * columns]), 1, ofLast)
          #expect(isIdentical(one, Array(y[(queries - 1) * columns..<queries * columns])))
        }
      }
    }
  }

  /// A bias that is larger than all scores decides which key is attended to; one that is the same for all
  /// keys decides nothing.
  @Test(arguments: sets)
  func biases(_ set: NamedSet) {
    let (size, count, heads) = (16, 21, 2)
    var random = SeededGenerator(seed: 9)
    let (q, k, v) = (
      random.floats(count * heads * size), random.floats(count * heads * size),
      set.rounded(random.floats(count * heads * size))
    )
    func attend(_ bias: [Float]) -> [Float] {
      set.attend(
        set.rounded(q), set.rounded(k), v, queries: count, keys: count, heads: heads,
        headSize: size, bias: bias)
    }
    // Head 0 takes the key 3 behind the query, head 1 the one 2 before it.
    let distances = 2 * count - 1
    var bias = [Float](repeating: -500, count: heads * distances)
    bias[count - 1 + 3] = 500
    bias[distances + count - 1 - 2] = 500
    let y = attend(bias)
    for (head, distance) in [(0, 3), (1, -2)] {
      for query in 0..<count where (0..<count).contains(query + distance) {
        let (mine, chosen) = (query * heads + head, (query + distance) * heads + head)
        let difference = largestDifference(
          Array(y[mine * size..<(mine + 1) * size]), Array(v[chosen * size..<(chosen + 1) * size]))
        #expect(difference < 1e-6, "head \(head), query \(query)")
      }
    }
    let level = attend([Float](repeating: 7, count: heads * distances))
    let none = attend([Float](repeating: 0, count: heads * distances))
    #expect(largestDifference(level, none) < (set.isFloat32 ? 1e-5 : 3.1 * 0x1p-9))
  }

  @Test(arguments: sets, [false, true])
  func layerNorms(_ set: NamedSet, _ isRootMeanSquare: Bool) {
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
        let operandSize = unsafe set.set.operandSize(columns)
        let operands = Guarded([UInt8](repeating: 0, count: rows * operandSize), guarded: .after)
        var norm = unsafe LayerNorm(
          scale: scale.pointer, shift: shift.pointer, epsilon: 1e-3, columns: columns,
          isRootMeanSquare: isRootMeanSquare)
        unsafe set.set.layerNorm(
          &norm, rows, input.pointer, columns, y.pointer, columns, operands.pointer, operandSize)
        expectOperands(set, operands.values, of: y.values, rows)
        return y.values
      }
      // The mean near 100 is rounded to 8e-6 / 2, and the deviations are about 0.6.
      #expect(largestDifference(normalized(set), normalized(set.oracle)) < 6e-5, "\(columns)")
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
        let operandSize = unsafe set.set.operandSize(columns)
        let operands = Guarded([UInt8](repeating: 0, count: 4 * operandSize), guarded: .after)
        var norm = unsafe LayerNorm(
          scale: ones.pointer, shift: ones.pointer, epsilon: 1e-3, columns: columns,
          isRootMeanSquare: false)
        unsafe ids.withUnsafeBufferPointer { ids in
          unsafe positions.withUnsafeBufferPointer { positions in
            unsafe types.withUnsafeBufferPointer { types in
              var input = unsafe EmbeddingInput(
                ids: ids.baseAddress!, positions: positions.baseAddress!,
                types: types.baseAddress!, wordTable: memory[0].pointer,
                positionTable: memory[1].pointer, typeTable: memory[2].pointer)
              unsafe set.set.embed(
                &input, &norm, columns, 4, y.pointer, columns, operands.pointer, operandSize)
            }
          }
        }
        expectOperands(set, operands.values, of: y.values, 4)
        return y.values
      }
      #expect(largestDifference(embedded(set), embedded(set.oracle)) < 1e-5, "\(columns)")
    }
  }

  /// Operands of floats that are values are those of the values.
  @Test(arguments: sets)
  func floatOperands(_ set: NamedSet) {
    var random = SeededGenerator(seed: 10)
    for columns in [1, 15, 16, 47, 130, 384] {
      let (rows, gap) = (3, 5)
      let x = set.rounded(random.floats(rows * columns))
      var spread: [Float] = []
      for start in stride(from: 0, to: x.count, by: columns) {
        spread += x[start..<start + columns]
        spread += [Float](repeating: .nan, count: gap)
      }
      let memory = GuardedFloats(Array(spread.dropLast(gap)), guarded: .after)
      let size = unsafe set.set.operandSize(columns)
      let operands = Guarded([UInt8](repeating: 0, count: rows * size), guarded: .after)
      unsafe set.set.makeFloatOperands(
        rows, columns, memory.pointer, columns + gap, operands.pointer, size)
      guard !set.isFloat32 else {
        #expect(operands.values.allSatisfy { $0 == 0 })
        continue
      }
      let (made, width) = set.operands(x, rows: rows, side: .after)
      for row in 0..<rows {
        #expect(
          made.values[row * width..<row * width + size]
            == operands.values[row * size..<(row + 1) * size], "\(columns)")
      }
    }
  }

  /// What a product reads of rows that a layer norm has written.
  private func expectOperands(_ set: NamedSet, _ operands: [UInt8], of y: [Float], _ rows: Int) {
    if set.isFloat32 {
      #expect(operands.allSatisfy { $0 == 0 })
    } else if !set.isInt8 {
      let (made, stride) = set.operands(y, rows: rows, side: .after)
      let size = operands.count / rows
      for row in 0..<rows {
        #expect(
          made.values[row * stride..<row * stride + size]
            == operands[row * size..<(row + 1) * size])
      }
    }
  }

  // MARK: int8

  /// Rows and weights with outliers, of widths with every size of rotated piece, against exact
  /// sums; and a row that has no finite size.
  @Test(arguments: sets.filter(\.isInt8))
  func int8Rows(_ set: NamedSet) {
    var random = SeededGenerator(seed: 7)
    for inputs in [15, 16, 47, 64, 128, 255, 384, 1000, 4097] {
      let (outputs, rows) = (19, 4)
      var weights = random.floats(inputs * outputs)
      var x = set.rounded(random.floats(rows * inputs))
      x[inputs / 2] = 20
      weights[inputs / 3] = 5
      let bias = random.floats(outputs)
      func product(_ set: NamedSet) -> [Float] {
        let layer = Layer(set, weights: weights, bias: bias, inputs: inputs, kind: ActivationNone)
        return set.product(layer, x: x, rows: rows, residual: nil, side: .after)
      }
      let y = product(set)
      #expect(isIdentical(y, product(set.oracle)), "\(inputs)")
      var (error, size) = (0.0, 0.0)
      for row in 0..<rows {
        for output in 0..<outputs {
          let terms = (0..<inputs).map {
            Double(x[row * inputs + $0]) * Double(weights[output * inputs + $0])
          }
          let exact = terms.reduce(Double(bias[output]), +)
          let difference = Double(y[row * outputs + output]) - exact
          error += difference * difference
          size += terms.reduce(0) { $0 + $1 * $1 }
        }
      }
      // Two roundings to 1/127 of the largest: 1 % of what the terms add up to.
      #expect((error / size).squareRoot() < 0.02, "\(inputs)")
      for broken in [Float.nan, .infinity, -.infinity] {
        x[inputs + inputs / 2] = broken
        let y = product(set)
        #expect(y[outputs..<2 * outputs].allSatisfy { $0.isNaN }, "\(inputs), \(broken)")
        #expect(y[2 * outputs..<3 * outputs].allSatisfy { $0.isFinite }, "\(inputs)")
      }
    }
  }

  /// Rotated, all numbers of these rows and weights are as large as can be, with one sign or several: no sum overflows
  /// on its way.
  @Test(arguments: sets.filter(\.isInt8))
  func int8SumsHold(_ set: NamedSet) {
    for inputs in [2, 16, 128, 250, 3072] {
      let (outputs, rows) = (17, 4)
      func sized(_ k: Int, _ pattern: Int) -> Float {
        // A first block of 16 columns becomes equal numbers in each piece.
        guard k % 128 < 16 else { return 0 }
        return pattern == 0 || k % (pattern + 1) > 0 ? 1 : -1
      }
      let weights = (0..<outputs * inputs).map { sized($0 % inputs, $0 / inputs) }
      let x = (0..<rows * inputs).map { sized($0 % inputs, $0 / inputs) }
      let y = [set, set.oracle].map { set in
        let layer = Layer(
          set, weights: weights, bias: [Float](repeating: 0, count: outputs), inputs: inputs,
          kind: ActivationNone)
        return set.product(layer, x: x, rows: rows, residual: nil, side: .after)
      }
      #expect(isIdentical(y[0], y[1]), "\(inputs)")
      let sum = (0..<inputs).reduce(0) { $0 + abs(sized($1, 0)) }
      #expect(abs(y[0][0] - sum) <= 0.02 * sum, "\(inputs)")
    }
  }

  /// What layer norms and embeddings hand to products is what is made of the same values.
  @Test(arguments: sets.filter(\.isInt8))
  func int8LayerNorms(_ set: NamedSet) {
    var random = SeededGenerator(seed: 8)
    for columns in [1, 31, 130, 384] {
      // Rows without a deviation become the shift: values that bfloat16 holds.
      let rows = 3
      let scale = random.floats(columns)
      let zero = [Float](repeating: 0, count: columns)
      let shift = set.rounded(random.floats(columns))
      let operandSize = unsafe set.set.operandSize(columns)
      let operands = Guarded(
        [UInt8](repeating: 0, count: rows * operandSize), guarded: .after)
      let memory = [scale, shift].map { GuardedFloats($0, guarded: .after) }
      let x = GuardedFloats(Array(repeating: zero, count: rows).flatMap { $0 }, guarded: .after)
      let y = GuardedFloats(x.values, guarded: .after)
      var norm = unsafe LayerNorm(
        scale: memory[0].pointer, shift: memory[1].pointer, epsilon: 1, columns: columns,
        isRootMeanSquare: false)
      unsafe set.set.layerNorm(
        &norm, rows, x.pointer, columns, y.pointer, columns, operands.pointer, operandSize)
      let (made, stride) = set.operands(y.values, rows: rows, side: .after)
      for row in 0..<rows {
        #expect(
          made.values[row * stride..<row * stride + operandSize]
            == operands.values[row * operandSize..<(row + 1) * operandSize], "\(columns)")
      }
    }
  }
}
