import EncoderContract
import Encoding
import JSON
import Serving
import Tokenizers

/// The body of an infer request: JSON, and behind it the tensors that are not in it.
struct InferRequest {
  /// A tensor that the answer has.
  struct Output {
    var name: RawText
    /// nil: as the request as a whole says.
    var isBinary: Bool?
  }

  var id: RawText?
  var parameters: [RawText: JSONValue]
  var tensors: [InferTensor]
  /// In the order asked for; empty if the request does not say.
  var outputs: [Output] = []
  /// How outputs that do not say are answered.
  var isBinary: Bool

  /// - Parameter headerLength: bytes of the JSON; nil if it is all there is, 0 if there is none and
  ///   the body is the text.
  init(
    _ bytes: [UInt8], headerLength: Int?, limits: BodyLimits, model: String
  ) throws(ServiceError) {
    let length = headerLength ?? bytes.count
    guard (0...bytes.count).contains(length) else {
      throw .invalid("inference header size should be in range (0, \(bytes.count))")
    }
    if headerLength == 0 {
      guard !bytes.isEmpty else { throw .invalid("the body is empty; it is to be the text") }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw .invalid("the text is not valid UTF-8; send it in that encoding")
      }
      parameters = [:]
      tensors = [InferTensor(text: text)]
      isBinary = true
      return
    }
    let body = try BodyObject(Array(bytes[..<length]), limits: limits.json)
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
      tensors.append(try InferTensor(input, binary: size.map { rest.prefix($0) }, limits))
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
    for refused: RawText in ["classification", "shared_memory_region"]
    where parameters[refused] != nil {
      throw .invalid("output '\(name)' asks for \(refused), which this server does not have")
    }
    guard parameters["binary_data"] != nil else { return Output(name: name) }
    return Output(name: name, isBinary: try parameters.boolean("binary_data", default: false))
  }

  /// Rows of the inputs: texts, pairs, or token ids.
  func inputs(
    of model: ServedModel, _ given: GivenParameters
  ) throws(ServiceError) -> [MapInput] {
    var inputs = NamedInputs()
    for tensor in tensors { try inputs.add(try tensor.column(), tensor.name, of: model) }
    return try inputs.inputs(of: model, given)
  }
}

extension InferTensor {
  /// A text by itself.
  fileprivate init(text: String) {
    name = "text"
    shape = [1]
    elements = .texts([text])
  }

  /// Texts of [B] or [B, 1], token ids of [B, S].
  fileprivate func column() throws(ServiceError) -> NamedInputs.Column {
    switch elements {
    case .texts(let texts):
      guard shape.count == 1 || shape.count == 2 && shape[1] == 1 else {
        throw .invalid("input '\(name)' has shape \(shape); it is [B] or [B, 1]")
      }
      return .texts(texts)
    case .integers(let integers):
      guard shape.count == 2, shape[1] > 0 else {
        throw .invalid("input '\(name)' has shape \(shape); it is [B, S], S at least 1")
      }
      let width = shape[1]
      return .rows((0..<shape[0]).map { integers[$0 * width..<($0 + 1) * width] })
    }
  }
}
