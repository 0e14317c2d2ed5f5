import CKernels
import Foundation
import TestSupport
import Testing

/// Attention that depends on distances (DeBERTa's), against the scalar set of the same precision.
struct RelativeKernelTests {
  /// The row of a distance from a query to a key: near ones have their own, far ones share the last on
  /// their side.
  private static func row(_ distance: Int, reach: Int) -> Int32 {
    Int32(reach - max(-reach, min(reach, distance)))
  }

  @Test(arguments: NamedSet.all)
  func distances(_ set: NamedSet) {
    var random = SeededGenerator(seed: 31)
    for headSize in [5, 16, 20, 64] {
      for (queries, keys) in [(1, 1), (1, 40), (7, 7), (14, 14), (33, 33), (70, 70), (65, 130)] {
        for reach in [1, 3, 20, 200] {
          let heads = 2
          let count = 2 * reach + 1
          let size = heads * headSize
          func values(_ rows: Int) -> [Float] {
            set.rounded(random.floats(rows * size, in: -2...2))
          }
          let (q, k) = (values(queries), values(keys))
          let v = set.rounded(random.floats(keys * size))
          let (keyRows, queryRows) = (values(count), values(count))
          let rows = (1 - queries..<keys).map { Self.row($0, reach: reach) }
          for (hasKeys, hasQueries) in [(true, true), (true, false), (false, true)] {
            let relative = NamedSet.Relative(
              keys: hasKeys ? keyRows : nil, queries: hasQueries ? queryRows : nil, count: count,
              rows: rows)
            func attend(_ set: NamedSet) -> [Float] {
              set.attend(
                q, k, v, queries: queries, keys: keys, heads: heads, headSize: headSize,
                relative: relative)
            }
            let y = attend(set)
            #expect(
              largestDifference(y, attend(set.oracle)) < (set.isFloat32 ? 4e-5 : 3.1 * 0x1p-9),
              "\(headSize), \(queries) × \(keys), reach \(reach), \(hasKeys) \(hasQueries)")
            // The first query alone.
            var first = relative
            first.rows = Array(rows[(queries - 1)...])
            let alone = set.attend(
              q, k, v, queries: 1, keys: keys, heads: heads, headSize: headSize, relative: first)
            #expect(isIdentical(alone, Array(y[..<size])))
          }
        }
      }
    }
  }

  /// The plain set's scores are the definition's.
  @Test(arguments: NamedSet.all.filter { $0.name == "scalar" })
  func definition(_ set: NamedSet) {
    var random = SeededGenerator(seed: 32)
    let (count, size, reach) = (9, 8, 3)
    func values(_ rows: Int) -> [Float] { set.rounded(random.floats(rows * size, in: -2...2)) }
    let (q, k, v) = (values(count), values(count), values(count))
    let (keyRows, queryRows) = (values(2 * reach + 1), values(2 * reach + 1))
    let y = set.attend(
      q, k, v, queries: count, keys: count, heads: 1, headSize: size,
      relative: NamedSet.Relative(
        keys: keyRows, queries: queryRows, count: 2 * reach + 1,
        rows: (1 - count..<count).map { Self.row($0, reach: reach) }))
    func dot(_ x: [Float], _ i: Int, _ y: [Float], _ j: Int) -> Double {
      (0..<size).reduce(0) { $0 + Double(x[i * size + $1]) * Double(y[j * size + $1]) }
    }
    var expected: [Double] = []
    for i in 0..<count {
      let scores = (0..<count).map { key in
        let row = Int(Self.row(key - i, reach: reach))
        return (dot(q, i, k, key) + dot(q, i, keyRows, row) + dot(k, key, queryRows, row))
          / Double(3 * size).squareRoot()
      }
      let numerators = scores.map { exp($0 - scores.max()!) }
      let sum = numerators.reduce(0, +)
      expected += (0..<size).map { column in
        (0..<count).reduce(0) { $0 + numerators[$1] / sum * Double(v[$1 * size + column]) }
      }
    }
    #expect(largestDifference(y, expected) < (set.isFloat32 ? 1e-5 : 0x1p-8))
  }
}
