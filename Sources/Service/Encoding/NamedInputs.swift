import JSON
import OutputMap
import UntrustedInput
import WordPiece

/// Columns as protocols with named tensors give them: texts, or token ids as BERT's encoder takes
/// them.
struct NamedInputs {
  enum Column {
    case texts([String])
    /// [B, S].
    case rows([ArraySlice<Untrusted<Int64>>])
  }

  static let textNames: [RawText] = ["text", "text_pair"]
  static let tokenNames: [RawText] = ["input_word_ids", "input_mask", "input_type_ids"]

  private var columns: [RawText: Column] = [:]

  /// - Throws: if there is no such input, or it is there already, or it is of another kind.
  mutating func add(
    _ column: Column, _ name: RawText, of model: ServedModel
  ) throws(ServiceError) {
    guard (Self.textNames + Self.tokenNames).contains(name) else {
      throw .invalid(
        "unexpected inference input '\(name)' for model '\(model.name)'; there are text and "
          + "text_pair, or input_word_ids, input_mask and input_type_ids")
    }
    switch column {
    case .texts where !Self.textNames.contains(name):
      throw .invalid("input '\(name)' holds token ids, in rows (as INT32 or INT64)")
    case .rows where !Self.tokenNames.contains(name):
      throw .invalid("input '\(name)' holds texts (as BYTES)")
    default: break
    }
    guard columns.updateValue(column, forKey: name) == nil else {
      throw .invalid("input '\(name)' is given twice")
    }
  }

  /// One input a row: a text, a pair, or token ids.
  func inputs(of model: ServedModel) throws(ServiceError) -> [MapInput] {
    if let ids = rows("input_word_ids") {
      guard texts("text") == nil, texts("text_pair") == nil else {
        throw .invalid("give either text or input_word_ids")
      }
      return try sequences(ids, model)
    }
    guard let texts = texts("text") else {
      throw .invalid("the input 'text' is missing (or 'input_word_ids')")
    }
    guard rows("input_mask") == nil, rows("input_type_ids") == nil else {
      throw .invalid("input_mask and input_type_ids go with input_word_ids")
    }
    guard let others = self.texts("text_pair") else { return texts.map { .text(.single($0)) } }
    guard texts.count == others.count else {
      throw .invalid("there are \(texts.count) texts and \(others.count) in text_pair")
    }
    return zip(texts, others).map { .text(.pair($0, $1)) }
  }

  private func sequences(
    _ ids: [ArraySlice<Untrusted<Int64>>], _ model: ServedModel
  ) throws(ServiceError) -> [MapInput] {
    let (masks, types) = (rows("input_mask"), rows("input_type_ids"))
    for (name, others) in [("input_mask", masks), ("input_type_ids", types)] {
      guard let others, others.count != ids.count else { continue }
      throw .invalid("there are \(ids.count) rows of input_word_ids and \(others.count) of \(name)")
    }
    var inputs: [MapInput] = []
    inputs.reserveCapacity(ids.count)
    for row in ids.indices {
      guard ids[row].count == ids[0].count else {
        throw .invalid("the rows of input_word_ids differ in length; pad them, with an input_mask")
      }
      inputs.append(
        .tokens(try model.sequence(ids: ids[row], mask: masks?[row], types: types?[row])))
    }
    return inputs
  }

  private func texts(_ name: RawText) -> [String]? {
    if case .texts(let texts)? = columns[name] { texts } else { nil }
  }

  private func rows(_ name: RawText) -> [ArraySlice<Untrusted<Int64>>]? {
    if case .rows(let rows)? = columns[name] { rows } else { nil }
  }
}
