import EncoderContract
package import JSON
package import Serving
import Tokenizers
package import UntrustedInput

/// Columns as protocols with named tensors give them: texts, or token ids as BERT's encoder takes
/// them.
package struct NamedInputs {
  package enum Column {
    case texts([String])
    /// [B, S].
    case rows([ArraySlice<Untrusted<Int64>>])
  }

  package static let textNames: [RawText] = ["text", "text_pair"]
  package static let tokenNames: [RawText] = ["input_word_ids", "input_mask", "input_type_ids"]

  /// Hugging Face's names of the same, and BERT's own of the last.
  private static let otherNames: [RawText: RawText] = [
    "input_ids": "input_word_ids", "attention_mask": "input_mask",
    "token_type_ids": "input_type_ids", "segment_ids": "input_type_ids",
  ]
  /// All that may be given, for descriptions.
  package static let allNames = textNames + tokenNames + otherNames.keys.sorted()

  /// By the names of `textNames` and `tokenNames`, with the names that the client has for them.
  private var columns: [RawText: (name: RawText, values: Column)] = [:]

  package init() {}

  /// Whether an input is rows of token ids and the like; false for texts.
  ///
  /// - Throws: if there is no such input.
  package static func holdsTokens(_ name: RawText, of model: ServedModel) throws(ServiceError)
    -> Bool
  {
    guard allNames.contains(name) else {
      throw .invalid(
        "unexpected inference input '\(name)' for model '\(model.name)'; there are text and "
          + "text_pair, or input_ids, attention_mask and token_type_ids (also named "
          + "input_word_ids, input_mask and input_type_ids or segment_ids)")
    }
    return !textNames.contains(name)
  }

  /// A client's inputs in the order of `allNames`.
  ///
  /// - Throws: if there is another among them.
  package static func ordered<Value>(
    _ inputs: [RawText: Value], of model: ServedModel
  ) throws(ServiceError) -> [(name: RawText, value: Value)] {
    if let unknown = inputs.keys.lazy.filter({ !allNames.contains($0) }).min() {
      _ = try holdsTokens(unknown, of: model)
    }
    return allNames.compactMap { name in inputs[name].map { (name, $0) } }
  }

  /// - Throws: if there is no such input, or it is there already, or it is of another kind.
  package mutating func add(
    _ column: Column, _ name: RawText, of model: ServedModel
  ) throws(ServiceError) {
    switch (column, try Self.holdsTokens(name, of: model)) {
    case (.texts, true):
      throw .invalid("input '\(name)' holds token ids, in rows (as INT32 or INT64)")
    case (.rows, false): throw .invalid("input '\(name)' holds texts (as BYTES)")
    default: break
    }
    let before = columns.updateValue((name, column), forKey: Self.otherNames[name] ?? name)
    if let before {
      throw .invalid(
        before.name == name
          ? "input '\(name)' is given twice"
          : "inputs '\(before.name)' and '\(name)' are two names of one input; give one")
    }
  }

  /// One input a row: a text, a pair, or token ids, which are encoded as they stand.
  ///
  /// - Parameter given: the request's parameters.
  package func inputs(
    of model: ServedModel, _ given: GivenParameters
  ) throws(ServiceError) -> [MapInput] {
    if let ids = rows("input_word_ids") {
      for parameter in MapRequest.tokenNames
      where parameter != "timeout_ms" && given[parameter] != nil {
        throw .invalid(
          "\(parameter) is for texts, and \(name("input_word_ids")) are token ids, which are "
            + "encoded as they stand: cut or pad them before")
      }
      guard texts("text") == nil, texts("text_pair") == nil else {
        throw .invalid("give either text or \(name("input_word_ids"))")
      }
      return try sequences(ids, model)
    }
    guard let texts = texts("text") else {
      throw .invalid("the input 'text' is missing (or 'input_ids')")
    }
    for other: RawText in ["input_mask", "input_type_ids"] where columns[other] != nil {
      throw .invalid("\(name(other)) goes with input_ids, and there is a text")
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
    // Messages name a mask or types that were not sent as those who call the ids so do.
    let isHuggingFace = name("input_word_ids") == "input_ids"
    let names = TokenInputNames(
      ids: name("input_word_ids"),
      mask: name("input_mask", isHuggingFace ? "attention_mask" : "input_mask"),
      types: name("input_type_ids", isHuggingFace ? "token_type_ids" : "input_type_ids"))
    for (name, others) in [(names.mask, masks), (names.types, types)] {
      guard let others, others.count != ids.count else { continue }
      throw .invalid("there are \(ids.count) rows of \(names.ids) and \(others.count) of \(name)")
    }
    var inputs: [MapInput] = []
    inputs.reserveCapacity(ids.count)
    for row in ids.indices {
      guard ids[row].count == ids[0].count else {
        throw .invalid(
          "row \(row) of \(names.ids) has \(ids[row].count) ids and the first has \(ids[0].count); "
            + "pad them to one length, with an \(names.mask)")
      }
      inputs.append(
        .tokens(
          try model.sequence(
            row: row, ids: ids[row], mask: masks?[row], types: types?[row], names)))
    }
    return inputs
  }

  /// The client's name of a column.
  private func name(_ name: RawText, _ other: RawText? = nil) -> RawText {
    columns[name]?.name ?? other ?? name
  }

  private func texts(_ name: RawText) -> [String]? {
    if case .texts(let texts)? = columns[name]?.values { texts } else { nil }
  }

  private func rows(_ name: RawText) -> [ArraySlice<Untrusted<Int64>>]? {
    if case .rows(let rows)? = columns[name]?.values { rows } else { nil }
  }
}
