import JSON

extension TokenizerFile.Model {
  /// Unigram's.
  ///
  /// - Parameters:
  ///   - text: all tokens' UTF-8, one after the other.
  ///   - places: the token of each id in it.
  ///   - scores: by id.
  init(
    unigram text: [UInt8], _ places: [Range<Int>], _ scores: [Double], unknown: Int32
  ) throws(TokenizerFileError) {
    let vocabulary = try Vocabulary(bytes: text, places: places)
    let model = UnigramModel(
      vocabulary.trie, scores: scores, unknown: unknown, longest: places.map(\.count).max() ?? 0)
    self.init(model: .unigram(model), vocabulary: vocabulary, name: "Unigram")
  }
}

extension TokenizerFile {
  /// A model, its tokens and its name.
  struct Model {
    var model: TextPipeline.Model
    var vocabulary: Vocabulary
    var name: String
    /// Of WordPiece.
    var continuationPrefix: String?
  }

  func model() throws(TokenizerFileError) -> Model {
    switch try modelType() {
    case "WordPiece":
      let prefix = try modelMember("continuing_subword_prefix").string(or: "##")
      let vocabulary = try vocabulary(continuationPrefix: Array(prefix.utf8))
      let unknown = try modelMember("unk_token").string(or: "[UNK]")
      guard let id = vocabulary.id(of: unknown) else { throw .missing(token: unknown) }
      var model = WordPieceModel(trie: vocabulary.trie, unknown: id)
      model.limit.count = try modelMember("max_input_chars_per_word")
        .integer(in: 1...100_000, or: 100)
      return Model(
        model: .wordPiece(model), vocabulary: vocabulary, name: "WordPiece",
        continuationPrefix: prefix)
    case "Unigram": return try unigram()
    case "BPE": return try bytePair()
    case let type:
      throw .unsupportedModel(place: "model.type", what: "\"\(type.prefix(64))\"")
    }
  }

  /// Files of old do not say it.
  private func modelType() throws(TokenizerFileError) -> String {
    let type = try modelMember("type")
    guard type.isNull else { return try type.string() }
    return modelMembers["merges"] != nil
      ? "BPE" : modelMembers["max_input_chars_per_word"] != nil ? "WordPiece" : "Unigram"
  }

  private func unigram() throws(TokenizerFileError) -> Model {
    var text: [UInt8] = []
    var places: [Range<Int>] = []
    var scores: [Double] = []
    try forEachModelElement("vocab") { element, range in
      let parts = try element.elements()
      guard parts.count == 2 else { throw element.invalid("must be a token and its score") }
      let token = try parts[0].string()
      places.append(text.count..<text.count + token.utf8.count)
      text += token.utf8
      _ = try parts[1].number()
      scores.append(try score(range))
    }
    let unknown = try modelMember("unk_id").integer(in: 0...max(0, scores.count - 1))
    if try modelMember("byte_fallback").boolean(or: false) {
      throw .unsupported(place: "model.byte_fallback", what: "true")
    }
    return try Model(unigram: text, places, scores, unknown: Int32(unknown))
  }

  private func bytePair() throws(TokenizerFileError) -> Model {
    for name in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
      let value = try modelMember(name)
      guard value.isNull || value.value == .string("") else {
        throw .unsupportedModel(place: value.place, what: "BPE with a value here")
      }
    }
    let fallback = try modelMember("byte_fallback")
    if try fallback.boolean(or: false) {
      throw .unsupportedModel(place: fallback.place, what: "SentencePiece's BPE, with true here,")
    }
    let ignoresMerges = try modelMember("ignore_merges").boolean(or: false)
    guard case .byteLevel = try preTokenizers().last else {
      throw .unsupportedModel(
        place: "model.type",
        what: "BPE without ByteLevel as the last pre_tokenizer, as SentencePiece's,")
    }
    let vocabulary = try vocabulary()
    var ids: [UInt32: Int32] = [:]
    for scalar in ByteLevel.scalars {
      let token = Unicode.Scalar(scalar).map(String.init) ?? ""
      guard let id = vocabulary.id(of: token) else { throw .missing(token: token) }
      ids[scalar] = id
    }
    var merges: [(first: Int32, second: Int32, merged: Int32)] = []
    var borders: [(last: UInt32, first: UInt32)] = []
    try forEachModelElement("merges") { element, _ in
      let parts = try Self.parts(ofMerge: element)
      guard let first = vocabulary.id(of: parts.0), let second = vocabulary.id(of: parts.1),
        let merged = vocabulary.id(of: parts.0 + parts.1)
      else {
        let (first, second) = (parts.0.prefix(64), parts.1.prefix(64))
        throw TokenizerFileError.invalid(
          place: element.place,
          reason: "merges \"\(first)\" and \"\(second)\": one of them or both together are not in "
            + "model.vocab")
      }
      merges.append((first, second, merged))
      if let last = parts.0.unicodeScalars.last, let next = parts.1.unicodeScalars.first {
        borders.append((last.value, next.value))
      }
    }
    return Model(
      model: .bytePair(
        BytePairModel(
          merges: merges, borders: borders, ids: ids,
          whole: ignoresMerges ? (vocabulary, vocabulary.longestToken) : nil)),
      vocabulary: vocabulary, name: "byte-level BPE")
  }

  /// `"a b"`, or `["a", "b"]`.
  private static func parts(
    ofMerge element: TokenizerFileValue
  ) throws(TokenizerFileError) -> (String, String) {
    if case .string(let text) = element.value {
      let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      if parts.count == 2 {
        return (
          String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1], as: UTF8.self)
        )
      }
    } else if case .array(let parts) = element.value, parts.count == 2,
      case .string(let first) = parts[0], case .string(let second) = parts[1]
    {
      return (first, second)
    }
    throw element.invalid("must be two tokens")
  }

  /// Trimming is done where a token's own text tells how much of it is white space.
  func check(_ trimming: OffsetTrimming?, _ model: Model) throws(TokenizerFileError) {
    guard trimming != nil else { return }
    switch model.model {
    case .bytePair: return
    case .unigram:
      throw .unsupported(place: "post_processor.trim_offsets", what: "true with Unigram")
    case .wordPiece:
      for id in model.vocabulary.places.indices {
        let scalars = (model.vocabulary.token(Int32(id)) ?? "").unicodeScalars.map(\.value)
        let spaces = OffsetTrimming.spaces(scalars[...])
        guard spaces == (0, 0) else {
          throw .unsupported(
            place: "post_processor.trim_offsets", what: "true with white space in model.vocab")
        }
      }
    }
  }

  /// The id of the token that fills a text up.
  func padding(
    _ vocabulary: Vocabulary, named name: String?
  ) throws(TokenizerFileError) -> Int32 {
    var names = ["[PAD]", "<pad>"]
    let value = try member("padding")
    if let name {
      names = [name]
    } else if !value.isNull {
      names = [try value["pad_token"].string()]
    }
    for name in names {
      if let id = vocabulary.addedID(of: name) { return id }
    }
    throw .missing(token: names[0])
  }
}
