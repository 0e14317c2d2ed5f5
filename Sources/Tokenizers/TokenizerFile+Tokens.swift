extension TokenizerFile {
  /// transformers takes the sides where `tokenizer_config.json` says none.
  func checkSides() throws(TokenizerFileError) {
    for (name, toDo) in [
      ("truncation", "set it to \"Right\", and ask for truncate=left"),
      ("padding", "tokens after padding would have other positions; set it to \"Right\""),
    ] {
      let direction = try member(name)["direction"]
      guard try direction.string(or: "Right") == "Right" else {
        throw .invalid(place: direction.place, reason: "is not \"Right\": \(toDo)")
      }
    }
  }

  /// The tokens added to those of the model, which get ids beyond them.
  func addedTokens(
    _ vocabulary: inout Vocabulary
  ) throws(TokenizerFileError) -> [AddedTokens.Token] {
    let value = try member("added_tokens")
    guard !value.isNull else { return [] }
    var tokens: [AddedTokens.Token] = []
    /// `tokenizers` gives new tokens ids one after the other, whatever the file says.
    var next = vocabulary.modelCount
    for element in try value.elements() {
      let content = try element["content"].string()
      let place = element["id"].place
      guard 1...TokenTrie.longest ~= content.utf8.count else {
        throw .invalid(
          place: element["content"].place, reason: "must have 1 to \(TokenTrie.longest) bytes")
      }
      let id = try element["id"].integer(in: 0...1 << 24)
      let spelling = Array(content.utf8)
      if let known = vocabulary.id(of: content) {
        guard known == id else {
          throw .invalid(place: place, reason: "is \(id), and \(known) in model.vocab")
        }
      } else {
        guard id == next else {
          throw .invalid(
            place: place, reason: "is \(id): the next id after those before it is \(next)")
        }
        guard vocabulary.token(Int32(id)) ?? "" == "" else {
          throw .invalid(place: place, reason: "is \(id), which another token has")
        }
        vocabulary.add(spelling, id: id)
        next += 1
      }
      tokens.append(
        AddedTokens.Token(
          id: Int32(id), spelling: spelling,
          singleWord: try element["single_word"].boolean(or: false),
          stripsLeft: try element["lstrip"].boolean(or: false),
          stripsRight: try element["rstrip"].boolean(or: false),
          isNormalized: try element["normalized"].boolean(or: true),
          isSpecial: try element["special"].boolean(or: false)))
    }
    return tokens
  }

  /// The special tokens round a text, and whether places are trimmed: `post_processor`.
  func postProcessor(
    _ vocabulary: Vocabulary
  ) throws(TokenizerFileError) -> (TokenTemplate, OffsetTrimming?) {
    var template: TokenTemplate?
    var trimming: OffsetTrimming?
    let value = try member("post_processor")
    for step in try Self.processors(value) {
      if ["ByteLevel", "RobertaProcessing"].contains(try step.type()),
        try step["trim_offsets"].boolean(or: true)
      {
        guard trimming == nil else { throw step.unsupported("a second trim_offsets") }
        trimming = OffsetTrimming(addsPrefixSpace: try step["add_prefix_space"].boolean(or: true))
      }
      guard let next = try Self.template(step, vocabulary) else { continue }
      guard template == nil else { throw step.unsupported("a second template") }
      template = next
    }
    guard let template else { throw value.unsupported("a text without special tokens") }
    return (template, trimming)
  }

  /// One, or a sequence of them.
  private static func processors(
    _ value: TokenizerFileValue
  ) throws(TokenizerFileError) -> [TokenizerFileValue] {
    if value.isNull { return [] }
    return try value.type() == "Sequence" ? value["processors"].elements() : [value]
  }

  /// - Returns: nil for one that adds no tokens.
  private static func template(
    _ value: TokenizerFileValue, _ vocabulary: Vocabulary
  ) throws(TokenizerFileError) -> TokenTemplate? {
    let type = try value.type()
    switch type {
    case "ByteLevel": return nil
    case "RobertaProcessing":
      return TokenTemplate(
        robertaStart: try namedToken(value["cls"], vocabulary),
        end: try namedToken(value["sep"], vocabulary))
    case "BertProcessing":
      return TokenTemplate(
        classification: try Self.namedToken(value["cls"], vocabulary),
        separator: try Self.namedToken(value["sep"], vocabulary))
    case "TemplateProcessing":
      let template = TokenTemplate(
        single: try Self.pieces(value["single"], of: value, vocabulary),
        pair: try Self.pieces(value["pair"], of: value, vocabulary))
      func texts(_ pieces: [TokenTemplate.Piece]) -> [Int] {
        pieces.compactMap { if case .text(let index, _) = $0 { index } else { nil } }
      }
      guard texts(template.single) == [0] else {
        throw value["single"].unsupported("a template without $A, or with more")
      }
      guard texts(template.pair) == [0, 1] else {
        throw value["pair"].unsupported("a template that has not $A and then $B")
      }
      // A text without tokens would have no answer.
      guard TokenTemplate.frameCount(template.single) > 0,
        TokenTemplate.frameCount(template.pair) > 0
      else { throw value.unsupported("a template without special tokens") }
      return template
    default: throw value.unsupported("a post_processor of type \"\(type.prefix(64))\"")
    }
  }

  /// `["[SEP]", 102]`.
  private static func namedToken(
    _ value: TokenizerFileValue, _ vocabulary: Vocabulary
  ) throws(TokenizerFileError) -> Int32 {
    let parts = try value.elements()
    guard parts.count == 2 else { throw value.invalid("must be a token and its id") }
    return try id(parts[1], vocabulary)
  }

  private static func id(
    _ value: TokenizerFileValue, _ vocabulary: Vocabulary
  ) throws(TokenizerFileError) -> Int32 {
    Int32(try value.integer(in: 0...max(0, vocabulary.count - 1)))
  }

  private static func pieces(
    _ value: TokenizerFileValue, of template: TokenizerFileValue, _ vocabulary: Vocabulary
  ) throws(TokenizerFileError) -> [TokenTemplate.Piece] {
    var pieces: [TokenTemplate.Piece] = []
    for element in try value.elements() {
      let (special, sequence) = (element["SpecialToken"], element["Sequence"])
      if !special.isNull {
        let type = Int32(try special["type_id"].integer(in: 0...1023))
        let ids = template["special_tokens"][try special["id"].string()]["ids"]
        for value in try ids.elements() {
          pieces.append(.token(try id(value, vocabulary), type: type))
        }
      } else {
        let type = Int32(try sequence["type_id"].integer(in: 0...1023))
        switch try sequence["id"].string() {
        case "A": pieces.append(.text(0, type: type))
        case "B": pieces.append(.text(1, type: type))
        case let other: throw sequence["id"].unsupported("\"\(other.prefix(64))\"")
        }
      }
    }
    guard pieces.count <= 256 else { throw value.unsupported("a template of so many tokens") }
    return pieces
  }
}
