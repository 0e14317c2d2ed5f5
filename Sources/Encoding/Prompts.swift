package import JSON
package import Serving

/// The folder's prompts, texts that are put before a text, by the names that protocols have for them.
extension ServedModel {
  /// - Returns: nil for an empty name that no prompt has, as clients send it for none.
  /// - Throws: `unprocessable` with the names there are.
  package func prompt(named name: RawText) throws(ServiceError) -> String? {
    guard let prompt = prompt(name) else {
      if name.isEmpty { return nil }
      let known = (sentence?.prompts ?? [:]).keys.sorted().map { "'\($0)'" }
      throw .unprocessable(
        "there is no prompt '\(name)'; this model has "
          + (known.isEmpty ? "none" : known.joined(separator: ", ")))
    }
    return try pooled(prompt)
  }

  /// What `input_type` may say of texts, whatever prompts a folder has: for each the prompts that
  /// sentence-transformers' `encode_query` and `encode_document` look for.
  private static let inputTypes: [RawText: [RawText]] = {
    let document: [RawText] = ["document", "passage", "corpus"]
    return [
      "query": ["query"], "search_query": ["search_query", "query"], "document": document,
      "passage": ["passage"] + document, "corpus": ["corpus"] + document,
      "search_document": ["search_document"] + document,
    ]
  }()

  /// Whether a request of that `input_type` is right without a prompt: it is a known type, and the
  /// folder has no prompts.
  package func needsNoPrompt(for type: RawText) -> Bool {
    Self.inputTypes[type.asciiLowercased] != nil && (sentence?.prompts ?? [:]).isEmpty
  }

  /// The prompt of that very name, or else for texts of that type; nil if there is none.
  package func prompt(forInput type: RawText) throws(ServiceError) -> String? {
    let names = [type] + (Self.inputTypes[type.asciiLowercased] ?? [])
    guard let prompt = names.lazy.compactMap({ prompt($0) }).first else { return nil }
    return try pooled(prompt)
  }

  private func prompt(_ name: RawText) -> String? {
    sentence?.prompts.first { RawText($0.key) == name }?.value
  }

  private func pooled(_ prompt: String) throws(ServiceError) -> String {
    guard sentence?.poolsPrompt == true else {
      throw .unprocessable("this model leaves prompts out of its pooling, which is not supported")
    }
    return prompt
  }
}
