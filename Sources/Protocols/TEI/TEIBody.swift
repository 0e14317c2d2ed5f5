import EncoderContract
import Encoding
import JSON
import Serving
import Tokenizers

/// What a text-embeddings-inference client's body says besides its texts. Members that are not
/// known are passed over, as there, and named in the answer.
struct TEIOptions {
  var truncation: Truncation
  /// Put before every text.
  var prompt: String?
  var normalizes: Bool
  /// Components to keep; all when nil.
  var dimensions: Int?

  /// Members that say how texts become tokens.
  static let truncationMembers: [RawText] = ["truncate", "truncation_direction"]
  static let textMembers = truncationMembers + ["prompt_name"]
  static let members: [RawText] = textMembers + ["normalize", "dimensions"]

  /// - Parameter members: those that the route knows; others count as absent.
  init(
    _ body: BodyObject, _ members: [RawText], _ model: ServedModel
  ) throws(ServiceError) {
    let body = body.only(members)
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
    if let name = try body.string("prompt_name") { prompt = try model.prompt(named: name) }
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
    guard case .array(let items) = value else { return [try input(value, "'inputs'", model)] }
    if case .integer? = items.first { return [try input(value, "'inputs'", model)] }
    try limits.check(texts: items.count)
    var inputs: [MapInput] = []
    inputs.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      inputs.append(try input(item, "item \(index) of 'inputs'", model))
    }
    return inputs
  }

  private func input(
    _ value: JSONValue, _ place: @autoclosure () -> String, _ model: ServedModel
  ) throws(ServiceError) -> MapInput {
    switch value {
    case .string(let text): return .text(single(text))
    case .array(let items):
      guard prompt == nil else {
        throw .unprocessable("'prompt_name' is for texts; token ids are taken as they stand")
      }
      if case .string? = items.first {
        throw .unprocessable(
          "\(place()) is a list of texts; it is one text, or the token ids of one")
      }
      return try tokens(
        try model.ids(items, of: place()), limit: model.defaultMaxTokens, place())
    case .object(let members) where members["source_sentence"] != nil:
      throw .unprocessable("\(place()) has a 'source_sentence': send it to /similarity")
    default:
      throw .unprocessable("\(place()) is \(value.kind); it is a text, or the token ids of one")
    }
  }

  private func tokens(
    _ ids: [Int32], limit: Int, _ place: @autoclosure () -> String
  ) throws(ServiceError) -> MapInput {
    let count = ids.count
    var ids = ids[...]
    if ids.count > limit {
      switch truncation {
      case .right: ids = ids.prefix(limit)
      case .left: ids = ids.suffix(limit)
      case .error:
        throw .unprocessable("\(place()) has \(count) token ids and the limit is \(limit)")
      }
    }
    let sequence = TokenSequence(ids: Array(ids), typeIDs: Array(repeating: 0, count: ids.count))
    return .tokens(sequence, truncated: ids.count < count)
  }
}
