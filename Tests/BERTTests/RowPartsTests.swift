import Testing

@testable import BERT

@Suite struct RowPartsTests {
  @Test(arguments: 1...9)
  func coverAllRowsOnce(takers: Int) {
    for (least, most) in [(1, 1), (2, 5), (28, 28), (28, 70)] {
      for count in [1, 2, 3, 27, 28, 29, 128, 140, 141, 512, 4097] {
        let parts = RowParts(count: count, takers: takers, sizes: least...most)
        var end = 0
        var index = 0
        while !parts[index].isEmpty {
          #expect(parts[index].lowerBound == end && parts[index].count <= most)
          end = parts[index].upperBound
          index += 1
        }
        #expect(end == count)
        #expect(parts[index + 1].isEmpty)
      }
    }
  }

  /// Who takes every other part of 512 rows does half of the work.
  @Test func takersOfOneSpeedEndTogether() {
    let parts = RowParts(count: 512, takers: 2, sizes: 28...70)
    let sizes = (0..<20).map { parts[$0].count }
    #expect(sizes.indices.filter { $0 % 2 == 0 }.map { sizes[$0] }.reduce(0, +) == 256)
    #expect(sizes.prefix { $0 > 0 }.min()! >= 28)
  }
}
