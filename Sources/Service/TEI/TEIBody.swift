import JSON
import OutputMap
import WordPiece

/// What a text-embeddings-inference client's body says besides its texts. Members that are not
/// known are passed over, as there.
struct TEIOptions {
  var truncation: Truncation
  /// Put before every text.
  var prompt: String?
  var normalizes: Bool
  /// Components to keep; all when nil.
  var dimensions: Int?

  init(_ body: BodyObject, _ model: ServedModel) throws(ServiceError) {
    truncation = .error
    if try body.boolean("truncate", default: true) {
      switch try body.string("truncation_direction")?.asciiLowercased {
      case nil, "right": truncation = .right
      case "left": truncation = .left
      case let other?:
        throw .unprocessable("'truncation_direction' is left or right; it was '\(other)'")
      }
    }
    normalizes = try body.boolean("normalize", default: true)
    dimensions = try body.integer("dimensions", in: 1...model.vectorSize)
    if let name = try body.string("prompt_name") {
      let prompts = model.sentence?.prompts ?? [:]
      guard let prompt = prompts.first(where: { RawText($0.key) == name })?.value else {
        let known = prompts.keys.sorted().joined(separator: ", ")
        throw .unprocessable(
          "there is no prompt '\(name)'; this model has \(known.isEmpty ? "none" : known)")
      }
      guard model.sentence?.poolsPrompt == true else {
        throw .unprocessable("this model leaves prompts out of its pooling, which is not supported")
      }
      self.prompt = prompt
    }
  }

  func request(_ model: ServedModel, _ key: OutputKey) -> MapRequest {
    var request = MapRequest(model, keys: [key])
    request.truncation = truncation
    // A prompt that is named is before the texts already, and takes the default one's place.
    request.usesDefaultPrompt = prompt == nil
    return request
  }

  func single(_ text: String) -> TokenizerInput { .single((prompt ?? "") + text) }
}

extension TEIOptions {
  /// `inputs`: a text, a list of texts, the token ids of a text, or a list of those.
  func inputs(
    _ body: BodyObject, _ model: ServedModel, _ limits: BodyLimits
  ) throws(ServiceError) -> [MapInput] {
    let value = try body.required("inputs")
    guard case .array(let items) = value else { return [try input(value, model)] }
    if case .integer? = items.first { return [try input(value, model)] }
    try limits.check(texts: items.count)
    var inputs: [MapInput] = []
    inputs.reserveCapacity(items.count)
    for item in items { inputs.append(try input(item, model)) }
    return inputs
  }

  private func input(_ value: JSONValue, _ model: ServedModel) throws(ServiceError) -> MapInput {
    switch value {
    case .string(let text): return .text(single(text))
    case .array(let items):
      guard prompt == nil else {
        throw .unprocessable("'prompt_name' is for texts; token ids are taken as they stand")
      }
      return .tokens(try sequence(try model.ids(items), limit: model.defaultMaxTokens))
    default:
      throw .unprocessable("'inputs' has \(value.kind); it holds texts, or token ids of a text")
    }
  }

  private func sequence(_ ids: [Int32], limit: Int) throws(ServiceError) -> TokenSequence {
    var ids = ids[...]
    if ids.count > limit {
      switch truncation {
      case .right: ids = ids.prefix(limit)
      case .left: ids = ids.suffix(limit)
      case .error:
        throw .unprocessable("there are \(ids.count) token ids and the limit is \(limit)")
      }
    }
    return TokenSequence(ids: Array(ids), typeIDs: Array(repeating: 0, count: ids.count))
  }
}
