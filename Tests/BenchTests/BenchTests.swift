import EncoderContract
import Testing

@testable import Bench

@Suite struct BenchTests {
  @Test func namedShapes() throws {
    let shapes = try BenchShape.named("1x16,32x128", positions: 512, vocabulary: 100)
    #expect(shapes.map(\.name) == ["1 x 16", "32 x 128"])
    #expect(shapes.map(\.sequences.count) == [1, 32])
    #expect(shapes.map { Set($0.sequences.map(\.count)) } == [[16], [128]])
    #expect(shapes.allSatisfy { $0.sequences.allSatisfy { $0.ids.allSatisfy { 0..<100 ~= $0 } } })
  }

  @Test(arguments: [
    "", "16", "x", "1x", "0x16", "1x0", "1x513", "1x2x3", "65537x1", "1x16, 2x2", "1x4x", "1xx4",
  ])
  func noShape(text: String) {
    #expect(throws: BenchError.self) {
      try BenchShape.named(text, positions: 512, vocabulary: 100)
    }
  }

  /// Every run, and every other engine that is compared, measures the same.
  @Test func fixedShapesAreTheSameEachTime() {
    let shapes = BenchShape.fixed(positions: 512, vocabulary: 30_522)
    #expect(shapes == BenchShape.fixed(positions: 512, vocabulary: 30_522))
    #expect(shapes.map(\.sequences.count) == [1, 1, 1, 32, 256])
    #expect(shapes[4].sequences.map(\.count).reduce(0, +) / 256 == 29)
    let short = BenchShape.fixed(positions: 3, vocabulary: 100)
    #expect(short.allSatisfy { $0.sequences.allSatisfy { $0.count <= 3 } })
    let few = BenchShape.fixed(positions: 64, vocabulary: 100)
    #expect(few.filter { $0.name.hasPrefix("one") }.map { $0.sequences[0].count } == [16])
  }

  @Test func theShareIsOfTheRoundsPeak() {
    var speed = BenchSpeed(name: "n", tokens: 100, operations: 1e9, firstTime: 1)
    speed.times = [0.5, 0.25, 1]
    speed.peaks = [4e9, 8e9, 4e9]
    speed.readings = [0.125, 0.3, 0.125]
    // The bound is 1e9 / 4e9 s, or the reading where that is longer.
    #expect(speed.cells == ["n", "200", "500.00", "250.00", "2", "4", "50 %  (25 to 50)"])
  }

  @Test func cosines() {
    #expect(PrecisionComparison.cosine([3, 4], [3, 4]) == 1)
    #expect(PrecisionComparison.cosine([1, 0], [0, 2]) == 0)
    #expect(PrecisionComparison.cosine([1, 0], [-2, 0]) == -1)
    #expect(PrecisionComparison.cosine([0, 0], [1, 0]) == 0)
    #expect(PrecisionComparison.cosine([0, 0], [0, 0]) == 1)
  }

  @Test(arguments: [
    (0.99951, 6, "0.999510"), (0, 2, "0.00"), (-0.056, 2, "-0.06"), (12.345, 1, "12.3"),
    (.nan, 2, "nan"), (1e18, 2, "1e+18"),
  ])
  func decimals(value: Double, places: Int, text: String) {
    #expect(value.decimals(places) == text)
  }

  @Test func medians() {
    #expect([Double]().median == 0)
    #expect([3.0, 1, 2].median == 2)
    #expect([4.0, 1, 2, 3].median == 2.5)
  }
}
