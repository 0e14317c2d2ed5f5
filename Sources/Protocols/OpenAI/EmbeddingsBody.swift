import Encoding
import JSON
import Serving
import TensorFormats
import Tokenizers

/// The body of `POST /v1/embeddings`.
///
/// Many clients send members of other servers to this route, and OpenAI-compatible servers pass over
/// those that they do not know. So does this one, and it names them in the answer's header.
struct EmbeddingsBody {
  var texts: [String]
  var model: RawText?
  var coding = AnswerCursor.Coding.json
  var normalizes: Bool
  private let sizes: BodyObject
  /// Special ones included; the model's limit when nil.
  var maxTokens: Int?
  var truncation: Truncation
  /// Name of one of the folder's prompts.
  var promptName: RawText?
  /// What the texts are, `query` or `passage`, which picks a prompt too.
  var inputType: RawText?
  var ignored = MemberNames()

  private static let honored: [RawText] = [
    "input", "model", "encoding_format", "dimensions", "output_dimension", "normalize",
    "normalized", "use_activation", "truncate", "truncation", "truncation_side",
    "truncate_prompt_tokens", "prompt_name", "input_type",
  ]
  /// Members of other servers that would change the answer's bytes or what is read, and the values of
  /// theirs that are served.
  private static let fixed: [(name: RawText, values: [RawText])] = [
    ("modality", ["text"]), ("embed_dtype", ["float32"]), ("endianness", ["native", "little"]),
    ("output_dtype", ["float"]), ("embedding_type", ["float"]), ("embedding_types", ["float"]),
  ]
  /// They have no effect on any server's vectors, so they are not worth a word.
  private static let harmless: [RawText] = [
    "user", "drop_params", "metadata", "priority", "request_id",
  ]

  private static let known = Set(honored + harmless + fixed.map(\.name))

  init(_ bytes: [UInt8], limits: BodyLimits) throws(ServiceError) {
    var json = limits.json
    // As the clients' own tokenizers do with texts that were cut within a pair.
    json.replacesLoneSurrogates = true
    // Some versions of litellm send what their callers add to a request in an object of its own.
    let body = try BodyObject(bytes, limits: json).addingMembers(of: "extra_body")
    ignored.add(body, besides: Self.known)
    try Self.checkFixed(body)
    texts = try Self.texts(try body.required("input"), body, limits)
    model = try body.string("model")
    switch try body.string("encoding_format") {
    case nil, "", "float": coding = .json
    case "base64": coding = .base64(.float32)
    case let other?:
      throw body.error(
        "encoding_format", "'encoding_format' is float or base64; it was '\(other)'")
    }
    sizes = body.only(["dimensions", "output_dimension"])
    try Self.checkAgreement(body)
    normalizes = try body.boolean(
      "normalize",
      default: body.boolean("normalized", default: body.boolean("use_activation", default: true)))
    truncation = try Self.truncation(body)
    maxTokens = try Self.maxTokens(body)
    promptName = try body.string("prompt_name")
    inputType = try body.string("input_type").flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Components to keep; nil for all, as 0 is, which infinity's client sends.
  ///
  /// - Parameter count: components that there are.
  func dimensions(of count: Int) throws(ServiceError) -> Int? {
    var size = try sizes.integer("dimensions", in: 0...count)
    if size == nil { size = try sizes.integer("output_dimension", in: 0...count) }
    return size == 0 ? nil : size
  }

  private static func checkFixed(_ body: BodyObject) throws(ServiceError) {
    for (name, values) in fixed {
      let given: [JSONValue] =
        switch body[name] {
        case nil: []
        case .array(let items)?: items
        case let value?: [value]
        }
      for value in given {
        if case .string(let text) = value, values.contains(RawText(text)) { continue }
        throw body.error(
          name,
          "'\(name)' must be \(values.map(\.description).joined(separator: " or ")) here: take it out, "
            + "or ask /encode, which has other formats and types of numbers")
      }
    }
  }

  /// Two names of one thing, with two values.
  private static func checkAgreement(_ body: BodyObject) throws(ServiceError) {
    let names: [(RawText, RawText)] = [
      ("dimensions", "output_dimension"), ("normalize", "normalized"),
      ("normalize", "use_activation"), ("normalized", "use_activation"),
    ]
    for (name, other) in names {
      guard let value = body[name], let second = body[other], value != second else { continue }
      throw body.error(other, "'\(name)' and '\(other)' are two names of one member; give one")
    }
  }

  /// vLLM's: -1 is the model's own limit.
  private static func maxTokens(_ body: BodyObject) throws(ServiceError) -> Int? {
    let name: RawText = "truncate_prompt_tokens"
    guard let limit = try body.integer(name, in: -1...(1 << 31)), limit != -1 else { return nil }
    guard limit >= 2 else {
      throw body.error(
        name, "'\(name)' is at least 2, special tokens included, or -1 for the model's limit")
    }
    return limit
  }

  /// NVIDIA's words, or truth values as text-embeddings-inference and Voyage have them; and vLLM's side.
  private static func truncation(_ body: BodyObject) throws(ServiceError) -> Truncation {
    let given = try (truncation("truncate", body), truncation("truncation", body))
    if let first = given.0, let second = given.1, first != second {
      throw body.error(
        "truncation", "'truncate' and 'truncation' ask for different things; give one")
    }
    let cut = given.0 ?? given.1
    switch (cut, try body.string("truncation_side")?.asciiLowercased) {
    case (_, nil), (_, ""), (.error, "left"), (.error, "right"): return cut ?? .right
    case (nil, "left"), (.left, "left"): return .left
    case (nil, "right"), (.right, "right"): return .right
    case (_, "left"), (_, "right"):
      throw body.error("truncation_side", "'truncate' and 'truncation_side' name different ends")
    default: throw body.error("truncation_side", "'truncation_side' is left or right")
    }
  }

  /// - Returns: nil if absent, or if it leaves the side open.
  private static func truncation(
    _ name: RawText, _ body: BodyObject
  ) throws(ServiceError) -> Truncation? {
    switch body[name] {
    case nil, .boolean(true): return nil
    case .boolean(false): return .error
    case .string(let text):
      switch RawText(text).asciiLowercased {
      case "": return nil
      case "end", "right": return .right
      case "start", "left": return .left
      case "none", "error": return .error
      default: break
      }
    default: break
    }
    throw body.error(name, "'\(name)' is END, START or NONE, or true or false")
  }

  /// The prompt that the request asks for; nil for the folder's default.
  func prompt(of model: ServedModel) throws(ServiceError) -> String? {
    if let promptName, let prompt = try model.prompt(named: promptName) { return prompt }
    guard let inputType else { return nil }
    return try model.prompt(forInput: inputType)
  }

  private static func texts(
    _ input: JSONValue, _ body: BodyObject, _ limits: BodyLimits
  ) throws(ServiceError) -> [String] {
    guard case .array(let items) = input else {
      guard case .string(let text) = input else {
        throw body.error("input", "'input' is \(input.kind); it is a text or a list of texts")
      }
      return [text]
    }
    // Their number is no number of texts.
    if items.first?.isTokenIDs != true { try limits.check(texts: items.count) }
    var texts: [String] = []
    for (index, item) in items.enumerated() {
      switch item {
      case .string(let text): texts.append(text)
      case .integer where !items.allSatisfy(\.isTokenIDs):
        throw body.error("input", "item \(index) of 'input' is a number, not a text")
      case _ where item.isTokenIDs:
        throw body.error(
          "input",
          "item \(index) of 'input' is token ids, which are of another tokenizer than this model's "
            + "and would give wrong vectors; send texts (LangChain's OpenAIEmbeddings does with "
            + "check_embedding_ctx_length=False)")
      case .array:
        throw body.error(
          "input",
          "item \(index) of 'input' is a list; each item is one text, so send the list's texts as "
            + "items of their own")
      default: throw body.error("input", "item \(index) of 'input' is \(item.kind), not a text")
      }
    }
    return texts
  }
}

extension JSONValue {
  /// A whole number, or a list that begins with one.
  fileprivate var isTokenIDs: Bool {
    switch self {
    case .integer: true
    case .array(let items): if case .integer? = items.first { true } else { false }
    default: false
    }
  }
}
