import JSON
import OutputMap
import WordPiece

/// What a request to `/encode` asks for besides its texts: query parameters, or members of the
/// body's object by the same names.
struct EncodeParameters {
  enum Padding: Equatable {
    case none
    case to(Int)
    case longest
  }

  /// Without duplicates, in the order asked for.
  var keys: [OutputKey]
  /// Indices of the blocks in the `encoder_outputs` entry, in the order asked for.
  var layers: [Int]
  var padding: Padding
  /// Special tokens included.
  var maxTokens: Int
  var truncation: Truncation
  var wantsTokens: Bool
  var format: AnswerFormat
  var elements: ElementFormat
  var timeout: Duration?

  static let names = [
    "output_key", "layers", "seq_length", "max_tokens", "truncate", "tokens", "format", "dtype",
    "timeout_ms", "model",
  ]

  /// Values by parameter name, each as it would stand in a query.
  typealias Given = [String: [String]]

  /// - Parameter accept: the Accept field, which picks the format where no parameter does.
  /// - Throws: `invalid` with the parameter, its value and what it takes.
  init(_ given: Given, accept: String?, for model: ServedModel) throws(ServiceError) {
    let shape = model.shape
    keys = try Self.keys(given["output_key"] ?? [], of: shape)
    layers = try Self.layers(given["layers"], of: shape)
    if given["layers"] != nil, !keys.contains(.encoderOutputs) {
      throw .invalid("layers picks blocks of encoder_outputs; add output_key=encoder_outputs")
    }

    maxTokens = model.defaultMaxTokens
    if let text = try Self.single("max_tokens", given) {
      maxTokens = try Self.integer("max_tokens", text, in: 2...shape.positionCount)
    }
    padding = .none
    switch try Self.single("seq_length", given) {
    case nil: break
    case "longest": padding = .longest
    case let text?:
      guard text.first?.isNumber == true || text.first == "-" else {
        throw .invalid(
          "seq_length is 3 to \(shape.positionCount), or longest; it was '\(text)'")
      }
      let length = try Self.integer("seq_length", text, in: 3...shape.positionCount)
      padding = .to(length)
      maxTokens = given["max_tokens"] == nil ? length : min(length, maxTokens)
    }

    truncation = try Self.choice(
      "truncate", given, ["right": .right, "left": .left, "error": .error], default: .right)
    wantsTokens = try Self.choice(
      "tokens", given, ["true": true, "false": false], default: false)
    elements = try Self.choice(
      "dtype", given,
      ["float32": .float32, "float16": .float16, "bfloat16": .bfloat16], default: .float32)
    if let name = try Self.single("format", given) {
      guard let chosen = AnswerFormat(rawValue: name) else {
        throw .invalid("format is \(AnswerFormat.list); it was '\(name)'")
      }
      format = chosen
    } else {
      format = AnswerFormat(accept: accept)
    }
    timeout = nil
    if let text = try Self.single("timeout_ms", given) {
      timeout = .milliseconds(try Self.integer("timeout_ms", text, in: 1...86_400_000))
    }
    try checkFormat(given)
  }

  private func checkFormat(_ given: Given) throws(ServiceError) {
    if format == .json, elements != .float32 {
      throw .invalid("dtype is for base64, npy and safetensors; add one of them as format")
    }
    if format == .npy {
      guard keys.count == 1 else {
        throw .invalid("npy holds one entry; ask for one output_key, or for safetensors")
      }
      guard elements != .bfloat16 else {
        throw .invalid("npy has no bfloat16; ask for float16 or float32, or for safetensors")
      }
    }
    if wantsTokens, format == .npy || format == .safetensors {
      throw .invalid("tokens are told in json and base64 answers only")
    }
  }

  /// What one text's pass has to produce.
  func selection(of shape: ServedModel.Shape) -> OutputSelection {
    var selection = OutputSelection()
    for key in keys {
      switch key {
      case .default, .pooledOutput: selection.pooled = true
      case .sentenceEmbedding: selection.sentence = true
      case .sequenceOutput: selection.blocks.insert(shape.blockCount - 1)
      case .encoderOutputs: for layer in layers { selection.blocks.insert(layer) }
      }
    }
    return selection
  }

  // MARK: - Reading values

  private static func keys(
    _ values: [String], of shape: ServedModel.Shape
  ) throws(ServiceError) -> [OutputKey] {
    let names = values.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
    let known = shape.keys.map(\.rawValue).joined(separator: ", ")
    guard !names.isEmpty else {
      guard shape.hasPooler else {
        throw .invalid(
          "this model has no pooler, so no default entry; give an output_key of \(known)")
      }
      return [.default]
    }
    var keys: [OutputKey] = []
    for name in names {
      if name == "all" {
        for key in shape.keys where !keys.contains(key) { keys.append(key) }
        continue
      }
      guard let key = OutputKey(rawValue: String(name)) else {
        throw .invalid("there is no output_key '\(name)'; this model has \(known), or all")
      }
      guard shape.keys.contains(key) else {
        let part = key == .sentenceEmbedding ? "sentence-transformers modules" : "pooler"
        throw .invalid("this model has no \(part), so no '\(name)'; it has \(known)")
      }
      if !keys.contains(key) { keys.append(key) }
    }
    return keys
  }

  /// `0,3,-1`, `2..5` (both ends included), in any mix; negative counts from the end.
  private static func layers(
    _ values: [String]?, of shape: ServedModel.Shape
  ) throws(ServiceError) -> [Int] {
    guard let values else { return Array(0..<shape.blockCount) }
    let count = shape.blockCount
    func index(_ text: Substring) throws(ServiceError) -> Int {
      guard let number = Int(text), (-count..<count).contains(number) else {
        throw .invalid(
          "layers takes block indices from \(-count) to \(count - 1), such as 0,3,-1 or 2..5; "
            + "it had '\(text)'")
      }
      return number < 0 ? number + count : number
    }
    var layers: [Int] = []
    for item in values.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      let ends = item.split(separator: ".", omittingEmptySubsequences: false)
      if ends.count == 3, ends[1].isEmpty {
        let (first, last) = (try index(ends[0]), try index(ends[2]))
        guard first <= last else {
          throw .invalid("layers has '\(item)': the first block comes after the last")
        }
        layers += first...last
      } else {
        layers.append(try index(item))
      }
      guard layers.count <= 4 * count else {
        throw .invalid("layers names more than \(4 * count) blocks")
      }
    }
    return layers
  }

  static func single(_ name: String, _ given: Given) throws(ServiceError) -> String? {
    guard let values = given[name] else { return nil }
    guard values.count == 1 else { throw .invalid("\(name) is given \(values.count) times") }
    return values[0]
  }

  private static func integer(
    _ name: String, _ text: String, in range: ClosedRange<Int>
  ) throws(ServiceError) -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw .invalid(
        "\(name) is a whole number from \(range.lowerBound) to \(range.upperBound); "
          + "it was '\(text)'")
    }
    return number
  }

  private static func choice<Value>(
    _ name: String, _ given: Given, _ choices: KeyValuePairs<String, Value>, default: Value
  ) throws(ServiceError) -> Value {
    guard let text = try single(name, given) else { return `default` }
    guard let choice = choices.first(where: { $0.key == text }) else {
      let list = choices.map(\.key).joined(separator: ", ")
      throw .invalid("\(name) is one of \(list); it was '\(text)'")
    }
    return choice.value
  }
}

/// How an answer is written.
enum AnswerFormat: String, CaseIterable {
  case json
  case base64
  case npy
  case safetensors

  static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }

  var contentType: String {
    switch self {
    case .json, .base64: "application/json"
    case .npy: "application/x-npy"
    case .safetensors: "application/x-safetensors"
    }
  }

  /// The first of our types that an Accept field names and does not weigh with zero
  /// (RFC 9110 §12.5.1); JSON where it names none, as that section lets a server do.
  init(accept: String?) {
    for item in (accept ?? "").split(separator: ",") {
      let parts = item.lowercased().filter { $0 != " " && $0 != "\t" }.split(separator: ";")
      guard let type = parts.first else { continue }
      if parts.dropFirst().contains(where: { $0.hasPrefix("q=0") && Double($0.dropFirst(2)) == 0 })
      {
        continue
      }
      switch type {
      case "application/x-npy": self = .npy
      case "application/x-safetensors": self = .safetensors
      case "application/json", "application/*", "*/*": self = .json
      default: continue
      }
      return
    }
    self = .json
  }
}
