import EncoderContract
package import JSON
package import Serving
import Tokenizers
import UntrustedInput

/// What a client calls the inputs of BERT's encoder.
struct TokenInputNames {
  var ids: RawText
  var mask: RawText
  var types: RawText
}

/// Token ids that a client has made itself.
extension ServedModel {
  /// Token ids of one text, each checked against the vocabulary.
  ///
  /// - Parameter place: which text, for messages.
  package func ids(
    _ items: [JSONValue], of place: @autoclosure () -> String
  ) throws(ServiceError) -> [Int32] {
    var ids: [Untrusted<Int64>] = []
    ids.reserveCapacity(items.count)
    for item in items {
      guard case .integer(let id) = item else {
        throw .unprocessable("\(place()) has \(item.kind); it holds token ids, whole numbers")
      }
      ids.append(id)
    }
    return try self.ids(ids[...], of: place())
  }

  private func ids(
    _ numbers: ArraySlice<Untrusted<Int64>>, of place: @autoclosure () -> String
  ) throws(ServiceError) -> [Int32] {
    guard !numbers.isEmpty else {
      throw .unprocessable("\(place()) is an empty list; it holds token ids, at least one")
    }
    let count = tokenizer.vocabulary.count
    var ids: [Int32] = []
    ids.reserveCapacity(numbers.count)
    for number in numbers {
      guard let id = number.within(0..<count) else {
        throw .unprocessable(
          "\(place()): \(number) is no token id of this model; they are 0 to \(count - 1)")
      }
      ids.append(Int32(id))
    }
    return ids
  }

  /// One row of what BERT's encoder takes.
  ///
  /// - Parameters:
  ///   - row: which one, for messages.
  ///   - ids: one a position.
  ///   - mask: 1 for a token, 0 for the padding behind them; all 1 when nil.
  ///   - types: 0, or 1 for the second text of a pair; all 0 when nil.
  func sequence(
    row: Int, ids: ArraySlice<Untrusted<Int64>>, mask: ArraySlice<Untrusted<Int64>>?,
    types: ArraySlice<Untrusted<Int64>>?, _ names: TokenInputNames
  ) throws(ServiceError) -> TokenSequence {
    let ids = try self.ids(ids, of: "row \(row) of \(names.ids)")
    guard ids.count <= info.positionCount else {
      throw .unprocessable(
        "row \(row) has \(ids.count) token ids and the model has \(info.positionCount) "
          + "positions")
    }
    for (name, values) in [(names.mask, mask), (names.types, types)] {
      guard let values, values.count != ids.count else { continue }
      throw .unprocessable(
        "row \(row): \(name) has \(values.count) columns and \(names.ids) \(ids.count)")
    }
    var attended = ids.count
    if let mask {
      attended = mask.prefix { $0 == 1 }.count
      guard attended > 0, mask.dropFirst(attended).allSatisfy({ $0 == 0 }) else {
        throw .unprocessable(
          "row \(row): \(names.mask) must be ones, at least one, and then zeros: padding comes last"
        )
      }
    }
    var typeIDs = [Int32](repeating: 0, count: ids.count)
    if let types {
      let known = types.compactMap { $0.within(0..<info.typeCount) }
      guard known.count == types.count else {
        throw .unprocessable("row \(row): \(names.types) are 0 to \(info.typeCount - 1)")
      }
      typeIDs = known.map { Int32($0) }
    }
    return TokenSequence(ids: ids, typeIDs: typeIDs, attendedCount: attended)
  }
}
