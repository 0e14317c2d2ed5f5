extension GraphArray {
  /// A value of a sparse array, and its place.
  typealias Entry = (place: [Int], value: Double)

  /// Every element as an entry.
  var entries: [Entry] {
    var entries: [Entry] = []
    var place = [Int](repeating: 0, count: shape.count)
    for value in values {
      entries.append((place, value))
      for axis in shape.indices.reversed() {
        place[axis] += 1
        if place[axis] < shape[axis] { break }
        place[axis] = 0
      }
    }
    return entries
  }

  /// A sum of products over the labels that the result lacks, as `einsum` writes it.
  ///
  /// - Parameters:
  ///   - labels: of the array's axes, of the other's, of the result's.
  ///   - other: entries of an array of `otherShape`; what is not among them is zero.
  /// - Returns: nil if labels and shapes do not fit, or it is too much work.
  static func einsum(
    _ labels: (array: [Character], other: [Character], result: [Character]), _ array: GraphArray,
    _ other: [Entry], _ otherShape: [Int]
  ) -> GraphArray? {
    let all = labels.array + labels.other
    guard array.shape.count == labels.array.count, otherShape.count == labels.other.count,
      Set(labels.array).count == labels.array.count, Set(labels.other).count == labels.other.count,
      Set(labels.result).count == labels.result.count
    else { return nil }
    var lengths: [Character: Int] = [:]
    for (label, length) in zip(all, array.shape + otherShape) {
      guard lengths.updateValue(length, forKey: label) ?? length == length else { return nil }
    }
    var shape: [Int] = []
    for label in labels.result {
      guard let length = lengths[label] else { return nil }
      shape.append(length)
    }
    guard let count = count(shape) else { return nil }
    // By label: how far apart neighbours are in the array and in the result.
    let inArray = Dictionary(uniqueKeysWithValues: zip(labels.array, array.strides))
    let inResult = Dictionary(
      uniqueKeysWithValues: zip(labels.result, strides(of: shape)))
    let free = labels.array.filter { !labels.other.contains($0) }
    let freeLengths = free.map { lengths[$0] ?? 1 }
    let fixed = labels.other.map { (inArray[$0] ?? 0, inResult[$0] ?? 0) }
    let steps = free.map { (inArray[$0] ?? 0, inResult[$0] ?? 0) }
    guard let work = FileNumber.product(freeLengths + [other.count]), work <= maximumWork else {
      return nil
    }
    var result = [Double](repeating: 0, count: count)
    let freeCount = freeLengths.reduce(1, *)
    // Back at zero after each turn through all places.
    var place = [Int](repeating: 0, count: free.count)
    for entry in other {
      var source = 0
      var target = 0
      for (place, (array, result)) in zip(entry.place, fixed) {
        source += place * array
        target += place * result
      }
      for _ in 0..<freeCount {
        result[target] += array.values[source] * entry.value
        for axis in free.indices.reversed() {
          place[axis] += 1
          source += steps[axis].0
          target += steps[axis].1
          if place[axis] < freeLengths[axis] { break }
          source -= freeLengths[axis] * steps[axis].0
          target -= freeLengths[axis] * steps[axis].1
          place[axis] = 0
        }
      }
    }
    return GraphArray(shape, result)
  }

  private static let maximumWork = 1 << 26
}
