/// An array of numbers, row-major, for a graph's run: whatever their type, they are computed with
/// as float64.
struct GraphArray {
  private(set) var shape: [Int]
  private(set) var values: [Double]

  /// A few rows of the widest model; more is refused.
  static let maximumCount = 1 << 22

  /// - Precondition: as many values as the shape asks for.
  init(_ shape: [Int], _ values: [Double]) {
    precondition(values.count == shape.reduce(1, *))
    self.shape = shape
    self.values = values
  }

  init(_ numbers: [Int]) { self.init([numbers.count], numbers.map(Double.init)) }

  /// The number of elements; nil if it is too large.
  static func count(_ shape: [Int]) -> Int? {
    // Empty arrays too must have sizes that can be computed with.
    guard let bound = FileNumber.product(shape.map { $0 == 0 ? 1 : $0 }), bound <= maximumCount
    else { return nil }
    return shape.contains(0) ? 0 : bound
  }

  /// The only value, or the only value's integer part; nil if there are others, or it is none.
  var scalar: Double? { values.count == 1 ? values[0] : nil }

  /// The values as sizes, axes or places; nil if one is none.
  var integers: [Int]? {
    var result: [Int] = []
    for value in values {
      guard let integer = Int(exactly: value), (-1 << 31...1 << 31).contains(integer) else {
        return nil
      }
      result.append(integer)
    }
    return result
  }

  func map(_ function: (Double) -> Double) -> GraphArray { GraphArray(shape, values.map(function)) }

  /// The same values in another shape, one length of which may be -1.
  func reshaped(_ target: [Int]) -> GraphArray? {
    var target = target
    if let free = target.firstIndex(of: -1) {
      target[free] = 1
      guard let known = FileNumber.product(target), known > 0, values.count % known == 0 else {
        return nil
      }
      target[free] = values.count / known
    }
    return Self.count(target) == values.count ? GraphArray(target, values) : nil
  }

  /// The place of an axis that may be counted from the end; nil if there is no such axis.
  func axis(_ number: Int) -> Int? {
    let axis = number < 0 ? number + shape.count : number
    return shape.indices.contains(axis) ? axis : nil
  }

  var strides: [Int] { Self.strides(of: shape) }

  /// Distances between neighbours along each axis.
  static func strides(of shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.reversed().dropFirst() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    return strides
  }

  /// The elements whose places are those of an array of another shape, along which each axis goes
  /// on by its own stride; 0 repeats an element.
  ///
  /// - Precondition: every place is one of this array's, and the shape is no larger than allowed.
  func gathered(_ shape: [Int], _ strides: [Int], from start: Int = 0) -> GraphArray {
    let count = shape.reduce(1, *)
    var result: [Double] = []
    result.reserveCapacity(count)
    var place = [Int](repeating: 0, count: shape.count)
    var offset = start
    for _ in 0..<count {
      result.append(values[offset])
      for axis in shape.indices.reversed() {
        place[axis] += 1
        offset += strides[axis]
        if place[axis] < shape[axis] { break }
        offset -= shape[axis] * strides[axis]
        place[axis] = 0
      }
    }
    return GraphArray(shape, result)
  }

  /// Repeated to a shape by TensorFlow's rules of broadcasting; nil if it does not go there.
  func broadcast(to target: [Int]) -> GraphArray? {
    if shape == target { return self }
    let missing = target.count - shape.count
    guard missing >= 0, Self.count(target) != nil else { return nil }
    var steps = [Int](repeating: 0, count: target.count)
    for (axis, stride) in strides.enumerated() {
      let length = shape[axis]
      guard length == target[axis + missing] || length == 1 else { return nil }
      steps[axis + missing] = length == 1 ? 0 : stride
    }
    return gathered(target, steps)
  }

  /// Two arrays, element by element.
  static func combine(
    _ left: GraphArray, _ right: GraphArray, _ function: (Double, Double) -> Double
  ) -> GraphArray? {
    let rank = max(left.shape.count, right.shape.count)
    var shape: [Int] = []
    for place in 0..<rank {
      func length(_ array: GraphArray) -> Int {
        let axis = place - (rank - array.shape.count)
        return axis < 0 ? 1 : array.shape[axis]
      }
      let lengths = (length(left), length(right))
      shape.append(lengths.0 == 1 ? lengths.1 : lengths.0)
    }
    guard let left = left.broadcast(to: shape), let right = right.broadcast(to: shape) else {
      return nil
    }
    return GraphArray(shape, zip(left.values, right.values).map(function))
  }

  func transposed(_ order: [Int]) -> GraphArray? {
    guard order.sorted() == Array(shape.indices) else { return nil }
    return gathered(order.map { shape[$0] }, order.map { strides[$0] })
  }

  /// One value for each place along the axes that are not reduced.
  func reduced(
    _ axes: [Int], keepsAxes: Bool, _ function: (ArraySlice<Double>) -> Double
  ) -> GraphArray? {
    let found = Set(axes.compactMap(axis))
    guard found.count == Set(axes).count else { return nil }
    let kept = shape.indices.filter { !found.contains($0) }
    guard let moved = transposed(kept + found.sorted()) else { return nil }
    let size = found.reduce(1) { $0 * shape[$1] }
    let count = kept.reduce(1) { $0 * shape[$1] }
    guard size > 0 else { return nil }
    let results = (0..<count).map { function(moved.values[$0 * size..<($0 + 1) * size]) }
    return GraphArray(
      keepsAxes
        ? shape.indices.map { found.contains($0) ? 1 : shape[$0] } : kept.map { shape[$0] },
      results)
  }

  /// The arrays one after the other along an axis.
  static func concatenated(_ arrays: [GraphArray], axis number: Int) -> GraphArray? {
    guard let first = arrays.first, let axis = first.axis(number) else { return nil }
    var shape = first.shape
    shape[axis] = 0
    for array in arrays {
      guard array.shape.count == shape.count,
        shape.indices.allSatisfy({ $0 == axis || array.shape[$0] == shape[$0] })
      else { return nil }
      shape[axis] += array.shape[axis]
    }
    guard count(shape) != nil else { return nil }
    var values: [Double] = []
    let outer = shape[..<axis].reduce(1, *)
    for index in 0..<outer {
      for array in arrays {
        let size = array.shape[axis...].reduce(1, *)
        values += array.values[index * size..<(index + 1) * size]
      }
    }
    return GraphArray(shape, values)
  }

  /// Rows of an array by their numbers; nil if there is no such row.
  func rows(_ numbers: GraphArray) -> GraphArray? {
    guard let count = shape.first, let rows = numbers.integers else { return nil }
    let size = shape.dropFirst().reduce(1, *)
    guard Self.count([rows.count, size]) != nil else { return nil }
    var result: [Double] = []
    for row in rows {
      guard (0..<count).contains(row) else { return nil }
      result += values[row * size..<(row + 1) * size]
    }
    return GraphArray(numbers.shape + shape.dropFirst(), result)
  }
}
