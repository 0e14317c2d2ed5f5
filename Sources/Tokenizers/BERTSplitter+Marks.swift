extension BERTSplitter {
  /// Combining marks of which some are kept: NFD puts them in the order of their classes.
  ///
  /// The kept ones go to `word`. `tokenizers` takes the marks' places in the text one by one as
  /// they come out of the decomposition, so after reordering a mark's source may be another's.
  ///
  /// - Parameter start: where a run of marks begins, or a character that decomposes into a
  ///   starter and such marks.
  /// - Returns: where the next character of class 0 begins.
  func appendMarks(
    _ text: borrowing Span<UInt8>, from start: Int, to limit: Int, _ word: inout NormalizedWord
  ) -> Int {
    struct Mark {
      var scalar: UInt32
      var combiningClass: UInt8
      /// Whether it takes a place in the text, or shares that of the mark before it.
      var takesPlace: Bool
    }
    let mappings = Decomposition.canonical.mappings
    var marks: [Mark] = []
    var places: [Range<Int>] = []
    var index = start
    while index < limit {
      let (scalar, end) = UTF8Text.scalar(in: text, at: index)
      if characters[scalar].kind != .removed {
        let parts = mappings[scalar] ?? [scalar]
        let classes = parts.map { characters.combiningClasses[$0] ?? 0 }
        guard index == start || classes[0] > 0 else { break }
        places.append(index..<end)
        for (part, scalar) in parts.enumerated() {
          marks.append(
            Mark(scalar: scalar, combiningClass: classes[part], takesPlace: part == 0))
        }
      }
      index = end
    }
    // A starter that leads has class 0 and stays first. The order of equals is kept.
    marks.sort { $0.combiningClass < $1.combiningClass }
    var taken = 0
    for mark in marks {
      if mark.takesPlace { taken += 1 }
      characters.forEachOutput(of: mark.scalar, characters[mark.scalar]) {
        word.append($0, from: places[taken - 1])
      }
    }
    return index
  }
}
