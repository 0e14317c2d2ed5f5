import JSON
import OutputMap
import WordPiece

/// The body of an infer request: JSON, and behind it the tensors that are not in it.
struct InferRequest {
  /// A tensor that the answer has.
  struct Output {
    var name: String
    /// nil: as the request as a whole says.
    var isBinary: Bool?
  }

  var id: String?
  var parameters: [String: JSONValue]
  var tensors: [InferTensor]
  /// In the order asked for; empty if the request does not say.
  var outputs: [Output] = []
  /// How outputs that do not say are answered.
  var isBinary: Bool

  /// - Parameter headerLength: bytes of the JSON; nil if it is all there is, 0 if there is none and
  ///   the body is the text.
  init(
    _ bytes: [UInt8], headerLength: Int?, limits: JSONParser.Limits, model: String
  ) throws(ServiceError) {
    let length = headerLength ?? bytes.count
    guard (0...bytes.count).contains(length) else {
      throw .invalid("inference header size should be in range (0, \(bytes.count))")
    }
    if headerLength == 0 {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw .invalid("the text is not valid UTF-8; send it in that encoding")
      }
      parameters = [:]
      tensors = [InferTensor(text: text)]
      isBinary = true
      return
    }
    let body = try BodyObject(Array(bytes[..<length]), limits: limits)
    id = try body.string("id")
    parameters = try BodyObject(member: "parameters", of: body).members
    isBinary = parameters["binary_data_output"] == .boolean(true)
    guard case .array(let inputs) = try body.required("inputs") else {
      throw .invalid("'inputs' is a list of tensors")
    }
    var rest = bytes[length...]
    tensors = []
    for input in inputs {
      let input = try BodyObject(input, "an input")
      let size = try BodyObject(member: "parameters", of: input)
        .integer("binary_data_size", in: 0...bytes.count)
      guard size ?? 0 <= rest.count else {
        throw .invalid("the body has fewer bytes behind its JSON than its inputs say")
      }
      tensors.append(try InferTensor(input, binary: size.map { rest.prefix($0) }))
      rest = rest.dropFirst(size ?? 0)
    }
    guard rest.isEmpty else {
      throw .invalid("unexpected additional input data for model '\(model)'")
    }
    guard let value = body["outputs"] else { return }
    guard case .array(let items) = value else {
      throw .invalid("'outputs' is a list of tensors")
    }
    for item in items { outputs.append(try Self.output(try BodyObject(item, "an output"))) }
  }

  private static func output(_ body: BodyObject) throws(ServiceError) -> Output {
    guard let name = try body.string("name") else { throw .invalid("an output has no 'name'") }
    let parameters = try BodyObject(member: "parameters", of: body)
    for refused in ["classification", "shared_memory_region"] where parameters[refused] != nil {
      throw .invalid("output '\(name)' asks for \(refused), which this server does not have")
    }
    guard parameters["binary_data"] != nil else { return Output(name: name) }
    return Output(name: name, isBinary: try parameters.boolean("binary_data", default: false))
  }

  // MARK: - What it means for a model

  static let textNames = ["text", "text_pair"]
  static let tokenNames = ["input_word_ids", "input_mask", "input_type_ids"]

  /// Rows of the inputs: texts, pairs, or token ids.
  func inputs(of model: ServedModel) throws(ServiceError) -> [MapInput] {
    var byName: [String: InferTensor] = [:]
    for tensor in tensors {
      guard (Self.textNames + Self.tokenNames).contains(tensor.name) else {
        throw .invalid(
          "unexpected inference input '\(tensor.name)' for model '\(model.name)'; there are text "
            + "and text_pair, or input_word_ids, input_mask and input_type_ids")
      }
      guard byName.updateValue(tensor, forKey: tensor.name) == nil else {
        throw .invalid("input '\(tensor.name)' is given twice")
      }
    }
    if let ids = byName["input_word_ids"] {
      guard byName["text"] == nil, byName["text_pair"] == nil else {
        throw .invalid("give either text or input_word_ids")
      }
      return try Self.sequences(ids, byName["input_mask"], byName["input_type_ids"], model)
    }
    guard let first = byName["text"] else {
      throw .invalid("the input 'text' is missing (or 'input_word_ids')")
    }
    guard byName["input_mask"] == nil, byName["input_type_ids"] == nil else {
      throw .invalid("input_mask and input_type_ids go with input_word_ids")
    }
    let texts = try first.texts()
    guard let second = byName["text_pair"] else { return texts.map { .text(.single($0)) } }
    let others = try second.texts()
    guard texts.count == others.count else {
      throw .invalid("there are \(texts.count) texts and \(others.count) in text_pair")
    }
    return zip(texts, others).map { .text(.pair($0, $1)) }
  }

  private static func sequences(
    _ ids: InferTensor, _ mask: InferTensor?, _ types: InferTensor?, _ model: ServedModel
  ) throws(ServiceError) -> [MapInput] {
    let numbers = try ids.matrix()
    for other in [mask, types] {
      guard let other else { continue }
      guard other.shape == ids.shape else {
        throw .invalid(
          "input '\(other.name)' has shape \(other.shape) and input_word_ids \(ids.shape)")
      }
    }
    let (masks, typeIDs) = (try mask?.matrix(), try types?.matrix())
    let width = ids.shape[1]
    var inputs: [MapInput] = []
    for row in 0..<ids.shape[0] {
      let range = row * width..<(row + 1) * width
      inputs.append(
        .tokens(
          try model.sequence(
            ids: numbers[range], mask: masks?[range], types: typeIDs?[range])))
    }
    return inputs
  }
}

extension InferTensor {
  /// A text by itself.
  fileprivate init(text: String) {
    name = "text"
    shape = [1]
    elements = .texts([text])
  }

  /// [B] or [B, 1].
  fileprivate func texts() throws(ServiceError) -> [String] {
    guard case .texts(let texts) = elements else {
      throw .invalid("input '\(name)' holds texts: its datatype is BYTES")
    }
    guard shape.count == 1 || shape.count == 2 && shape[1] == 1 else {
      throw .invalid("input '\(name)' has shape \(shape); it is [B] or [B, 1]")
    }
    return texts
  }

  /// [B, S].
  fileprivate func matrix() throws(ServiceError) -> [Int64] {
    guard case .integers(let integers) = elements else {
      throw .invalid("input '\(name)' holds token ids: its datatype is INT32 or INT64")
    }
    guard shape.count == 2, shape[1] > 0 else {
      throw .invalid("input '\(name)' has shape \(shape); it is [B, S], S at least 1")
    }
    return integers
  }
}
