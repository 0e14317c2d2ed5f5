import JSON

extension TokenizerConfiguration {
  /// The special tokens of `DebertaV2Tokenizer`, in the order in which transformers adds them.
  private static let debertasTokens = [
    ("bos_token", "[CLS]"), ("eos_token", "[SEP]"), ("unk_token", "[UNK]"), ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]"),
  ]
  private static let lists = ["additional_special_tokens", "extra_special_tokens"]

  /// Settles which tokens stand beside the pieces of DeBERTa's SentencePiece model, as transformers 5 does.
  ///
  /// - Parameters:
  ///   - file: `tokenizer_config.json`.
  ///   - map: `special_tokens_map.json`.
  ///   - added: `added_tokens.json`.
  /// - Throws: where the files leave the tokens open.
  mutating func readDeBERTasTokens(
    _ file: JSONFile?, map: JSONFile?, added: JSONFile?
  ) throws(CheckpointError) {
    // The older files do not count beside a newer list.
    let map = addedTokens == nil ? map : nil
    for file in [map, file].compactMap(\.self) {
      for (key, _) in Self.debertasTokens where file.keys.contains(key) && file[key] == .null {
        throw file.invalid(key, "must be a token, or be left out for the default, beside spm.model")
      }
    }
    if let map, let key = Self.lists.first(where: { map[$0] != .null }) {
      throw .unsupported(
        path: map.path,
        reason: "\(key) is supported only with a tokenizer.json: \(Self.toConvert)")
    }
    if let file {
      guard Self.lists.contains(where: { file[$0] == .null }) else {
        throw .unsupported(
          path: file.path,
          reason: "has additional_special_tokens and extra_special_tokens: take one of them out")
      }
      // Names of their own leave the pieces sought; a list does not, even where it is null.
      listsAdditionalTokens = Self.lists.contains {
        if case .object = file[$0] { false } else { file.keys.contains($0) }
      }
      if case .object(let members) = file["added_tokens_decoder"],
        members.count != addedTokens?.count
      {
        throw file.invalid("added_tokens_decoder", "must not have a token twice")
      }
    }
    if let added, addedTokens == nil { addedTokens = try oldAddedTokens(added, file, map) }
    namedTokens = try Self.debertasFlags([map, file].compactMap(\.self), map)
  }

  /// The tokens of `added_tokens.json`. Special are those that another file names, in
  /// `tokenizer_config.json` as a string.
  private func oldAddedTokens(
    _ added: JSONFile, _ file: JSONFile?, _ map: JSONFile?
  ) throws(CheckpointError) -> [String: AddedToken] {
    var values = Self.debertasTokens.compactMap { key, _ in
      if let map, map[key] != .null { map[key]["content"] ?? map[key] } else { file?[key] }
    }
    for key in Self.lists { if case .array(let list)? = file?[key] { values += list } }
    let special = Set(values.compactMap { if case .string(let name) = $0 { name } else { nil } })
    var tokens: [String: AddedToken] = [:]
    for name in added.keys {
      let limit = ModelConfiguration.Limits.vocabularySize.upperBound
      guard let id = added[name].integer(in: 0...limit) else {
        throw added.invalid(name, "must be an id from 0 to \(limit)")
      }
      tokens[name] = AddedToken(
        stripsLeft: false, stripsRight: false, singleWord: false,
        isNormalized: !special.contains(name), id: id)
    }
    return tokens
  }

  /// How named tokens are sought.
  ///
  /// - Parameter files: the first that has a token counts.
  /// - Throws: for a text that two names have, each to be sought in its own way.
  private static func debertasFlags(
    _ files: [JSONFile], _ map: JSONFile?
  ) throws(CheckpointError) -> [String: AddedToken] {
    var flags: [String: AddedToken] = [:]
    func add(_ value: JSONValue, _ file: JSONFile?) throws(CheckpointError) {
      var members: [RawText: JSONValue] = ["content": value, "special": .boolean(true)]
      if case .object(let own) = value {
        members = own
        if file?.path == map?.path { members["special"] = .boolean(true) }
      }
      guard case .string(let name)? = members["content"] else { return }
      let found = addedToken(members)
      guard flags.updateValue(found, forKey: name) ?? found == found else {
        throw .unsupported(
          path: file?.path ?? files.first?.path ?? "",
          reason:
            "the token \"\(name.prefix(64))\" has two names, and lstrip, rstrip, single_word or "
            + "normalized are not the same for both, which is not supported: give both the same")
      }
    }
    for (key, name) in debertasTokens {
      let source = files.first { $0[key] != .null }
      try add(source?[key] ?? .string(name), source)
    }
    for file in files {
      for key in file.keys where key.hasSuffix("_token") {
        if !debertasTokens.contains(where: { $0.0 == key }) { try add(file[key], file) }
      }
      for key in lists {
        switch file[key] {
        case .array(let values): for value in values { try add(value, file) }
        case .object(let members): for (_, value) in members { try add(value, file) }
        default: break
        }
      }
    }
    return flags
  }
}
