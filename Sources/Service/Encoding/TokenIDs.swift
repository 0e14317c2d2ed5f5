import JSON
import OutputMap
import UntrustedInput
import WordPiece

/// Token ids that a client has made itself.
extension ServedModel {
  /// Token ids of one text, each checked against the vocabulary.
  func ids(_ items: [JSONValue]) throws(ServiceError) -> [Int32] {
    var ids: [Untrusted<Int64>] = []
    ids.reserveCapacity(items.count)
    for item in items {
      guard case .integer(let id) = item else {
        throw .unprocessable("a token id is \(item.kind); it is a whole number")
      }
      ids.append(id)
    }
    return try self.ids(ids[...])
  }

  private func ids(_ numbers: ArraySlice<Untrusted<Int64>>) throws(ServiceError) -> [Int32] {
    guard !numbers.isEmpty else { throw .unprocessable("a list of token ids is empty") }
    let count = tokenizer.vocabulary.count
    var ids: [Int32] = []
    ids.reserveCapacity(numbers.count)
    for number in numbers {
      guard let id = number.within(0..<count) else {
        throw .unprocessable("\(number) is no token id of this model; they are 0 to \(count - 1)")
      }
      ids.append(Int32(id))
    }
    return ids
  }

  /// One row of what BERT's encoder takes.
  ///
  /// - Parameters:
  ///   - ids: `input_word_ids`, one a position.
  ///   - mask: `input_mask`: 1 for a token, 0 for the padding behind them; all 1 when nil.
  ///   - types: `input_type_ids`: 0, or 1 for the second text of a pair; all 0 when nil.
  func sequence(
    ids: ArraySlice<Untrusted<Int64>>, mask: ArraySlice<Untrusted<Int64>>?,
    types: ArraySlice<Untrusted<Int64>>?
  ) throws(ServiceError) -> TokenSequence {
    let ids = try self.ids(ids)
    guard ids.count <= shape.positionCount else {
      throw .unprocessable(
        "there are \(ids.count) token ids in a row and the model has \(shape.positionCount) "
          + "positions")
    }
    guard (mask?.count ?? ids.count) == ids.count, (types?.count ?? ids.count) == ids.count else {
      throw .unprocessable("input_mask and input_type_ids have as many columns as input_word_ids")
    }
    var attended = ids.count
    if let mask {
      attended = mask.prefix { $0 == 1 }.count
      guard attended > 0, mask.dropFirst(attended).allSatisfy({ $0 == 0 }) else {
        throw .unprocessable("input_mask is ones, at least one, and then zeros: padding comes last")
      }
    }
    var typeIDs = [Int32](repeating: 0, count: ids.count)
    if let types {
      let known = types.compactMap { $0.within(0..<shape.typeCount) }
      guard known.count == types.count else {
        throw .unprocessable("input_type_ids are 0 to \(shape.typeCount - 1)")
      }
      typeIDs = known.map { Int32($0) }
    }
    return TokenSequence(ids: ids, typeIDs: typeIDs, attendedCount: attended)
  }
}
