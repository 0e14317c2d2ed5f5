import CKernels
import TestSupport
import Testing

/// The kernels that encoders besides BERT need, against the scalar set of the same precision.
struct PositionKernelTests {
  static let sets = NamedSet.all

  /// Windows narrower and wider than tiles and panels, rows past the last key's window, and the first
  /// query alone.
  @Test(arguments: sets)
  func windows(_ set: NamedSet) {
    var random = SeededGenerator(seed: 14)
    for headSize in [5, 16, 64] {
      for (queries, keys) in [(1, 1), (7, 7), (33, 33), (70, 70), (131, 131), (90, 20), (75, 65)] {
        let heads = 2
        let columns = heads * headSize
        let rows = max(queries, keys)
        let q = set.rounded(random.floats(rows * columns, in: -3...3))
        let k = set.rounded(random.floats(rows * columns, in: -3...3))
        let v = set.rounded(random.floats(rows * columns))
        let biases = random.floats(heads * (queries - 1 + keys), in: -4...4)
        for window in [1, 2, 3, 8, 17, 33, 64, 200] {
          for bias in [nil, biases] {
            func attend(_ set: NamedSet, _ queries: Int, _ bias: [Float]?) -> [Float] {
              set.attend(
                q, k, v, queries: queries, keys: keys, heads: heads, headSize: headSize,
                bias: bias, window: window)
            }
            let y = attend(set, queries, bias)
            #expect(
              largestDifference(y, attend(set.oracle, queries, bias))
                < (set.isFloat32 ? 4e-5 : 3.1 * 0x1p-9),
              "\(headSize), \(queries) × \(keys), window \(window)")
            // Past the last key's window there is none.
            let certain = min(queries, keys + window - 1) * columns
            #expect(y[certain...].allSatisfy { $0 == 0 })
            let ofFirst = bias.map { bias in
              (0..<heads).flatMap { head in
                let first = head * (queries - 1 + keys) + queries - 1
                return bias[first..<first + keys]
              }
            }
            #expect(isIdentical(attend(set, 1, ofFirst), Array(y[..<columns])))
          }
        }
      }
    }
  }

  /// What follows a query changes no bit of it, wherever tiles begin.
  @Test(arguments: sets)
  func queriesAfterAWindow(_ set: NamedSet) {
    var random = SeededGenerator(seed: 18)
    let (keys, heads, size) = (131, 2, 16)
    let x = (0..<3).map { _ in set.rounded(random.floats(160 * heads * size, in: -3...3)) }
    func attend(_ queries: Int) -> ArraySlice<Float> {
      set.attend(
        x[0], x[1], x[2], queries: queries, keys: keys, heads: heads, headSize: size, window: 65
      )[..<(keys * heads * size)]
    }
    #expect(isIdentical(Array(attend(keys)), Array(attend(160))))
  }

  /// A window that reaches every key changes no bit.
  @Test(arguments: sets)
  func wideWindows(_ set: NamedSet) {
    var random = SeededGenerator(seed: 15)
    let (count, heads, size) = (50, 2, 24)
    let x = (0..<3).map { _ in set.rounded(random.floats(count * heads * size, in: -2...2)) }
    func attend(_ window: Int) -> [Float] {
      set.attend(
        x[0], x[1], x[2], queries: count, keys: count, heads: heads, headSize: size,
        window: window)
    }
    #expect(isIdentical(attend(0), attend(count)))
  }

  @Test(arguments: sets)
  func rotaryPositions(_ set: NamedSet) {
    var random = SeededGenerator(seed: 16)
    for (size, turned) in [(2, 2), (6, 6), (7, 6), (16, 16), (34, 34), (64, 64), (80, 80)] {
      let (rows, heads) = (5, 3)
      let table = random.floats(rows * turned)
      let x = set.rounded(random.floats(rows * heads * size, in: -3...3))
      func turn(_ set: NamedSet) -> [Float] {
        let angles = GuardedFloats(table, guarded: .after)
        var positions = unsafe RotaryPositions(table: angles.pointer, size: turned)
        return unsafe set.inPlace(x, rows: rows) { memory, stride in
          unsafe set.set.applyRotary(&positions, rows, heads, size, memory, stride)
        }
      }
      let y = turn(set)
      // Values to 6, rounded once more where a product and a sum are one step.
      #expect(
        largestDifference(y, turn(set.oracle)) < (set.isFloat32 ? 1e-6 : 0x1p-6), "\(size)")
      for row in 0..<rows {
        for head in 0..<heads {
          let start = (row * heads + head) * size
          for pair in 0..<turned / 2 {
            let (cosine, sine) = (
              Double(table[row * turned + pair]), Double(table[row * turned + turned / 2 + pair])
            )
            let (a, b) = (Double(x[start + pair]), Double(x[start + turned / 2 + pair]))
            let limit = set.isFloat32 ? 1e-6 : 0x1p-6
            #expect(abs(Double(y[start + pair]) - (a * cosine - b * sine)) < limit)
            #expect(
              abs(Double(y[start + turned / 2 + pair]) - (b * cosine + a * sine)) < limit)
          }
          #expect(y[start + turned..<start + size] == x[start + turned..<start + size])
        }
      }
    }
  }

  /// Norms of values are those of the same floats, rounded.
  @Test(arguments: sets, [false, true])
  func norms(_ set: NamedSet, _ isRootMeanSquare: Bool) {
    var random = SeededGenerator(seed: 19)
    for columns in [1, 7, 16, 31, 80, 385] {
      let rows = 3
      let x = set.rounded(random.floats(rows * columns, in: 1...3))
      let (scale, shift) = (
        GuardedFloats(random.floats(columns), guarded: .after),
        GuardedFloats(random.floats(columns), guarded: .after)
      )
      var norm = unsafe LayerNorm(
        scale: scale.pointer, shift: shift.pointer, epsilon: 1e-3, columns: columns,
        isRootMeanSquare: isRootMeanSquare)
      func normalized(_ set: NamedSet) -> [Float] {
        let scratch = GuardedFloats(Array(repeating: .nan, count: columns), guarded: .after)
        return unsafe set.inPlace(x, rows: rows) { memory, stride in
          unsafe set.set.normalizeValues(&norm, rows, memory, stride, scratch.pointer)
        }
      }
      let y = normalized(set)
      #expect(
        largestDifference(y, normalized(set.oracle)) < (set.isFloat32 ? 1e-5 : 0x1p-6),
        "\(columns)")
      let input = GuardedFloats(x, guarded: .after)
      let floats = GuardedFloats(Array(repeating: .nan, count: x.count), guarded: .after)
      let size = unsafe set.set.operandSize(columns)
      let operands = Guarded([UInt8](repeating: 0, count: rows * size), guarded: .after)
      unsafe set.set.layerNorm(
        &norm, rows, input.pointer, columns, floats.pointer, columns, operands.pointer, size)
      #expect(isIdentical(y, set.rounded(floats.values)), "\(columns)")
    }
  }

  @Test(arguments: sets)
  func products(_ set: NamedSet) {
    var random = SeededGenerator(seed: 17)
    for columns in [1, 7, 16, 31, 80, 385] {
      let rows = 3
      let x = set.rounded(random.floats(rows * columns))
      let y = set.rounded(random.floats(rows * columns))
      let result = unsafe set.inPlace(x, rows: rows) { memory, stride in
        let gap = 8
        let size = unsafe columns * set.set.valueSize
        let other = Guarded(set.valueBytes(y, rows: rows, gap: gap), guarded: .after)
        unsafe set.set.multiply(rows, columns, memory, stride, other.pointer, size + gap)
      }
      #expect(isIdentical(result, set.rounded(zip(x, y).map { $0 * $1 })), "\(columns)")
    }
  }
}
