import EncoderContract
import Encoding
import JSON
import Serving
import TensorFormats

/// What a request to `/encode` asks for besides its texts: query parameters, or members of the
/// body's object by the same names.
struct EncodeParameters: Sendable {
  var map: MapRequest
  var format: AnswerFormat
  var elements: ElementFormat

  /// - Parameter accept: the Accept field, which picks the format where no parameter does.
  /// - Throws: `invalid` with the parameter, its value and what it takes.
  init(_ given: GivenParameters, accept: String?, for model: ServedModel) throws(ServiceError) {
    map = try MapRequest(
      given, keys: try MapRequest.keys(given["output_key"] ?? [], of: model.info), for: model)
    elements = try given.choice(
      "dtype", ["float32": .float32, "float16": .float16, "bfloat16": .bfloat16],
      default: .float32)
    if let name = try given.single("format") {
      guard let chosen = AnswerFormat.allCases.first(where: { RawText($0.rawValue) == name }) else {
        throw .invalid("format is \(AnswerFormat.list); it was '\(name)'")
      }
      format = chosen
    } else {
      format = AnswerFormat(accept: accept)
    }
    if let text = try given.single("top_k") {
      guard map.keys.contains(.mlmLogits) else {
        throw .invalid("top_k is for mlm_logits; add output_key=mlm_logits")
      }
      map.predictions = TokenPredictions(
        count: try given.integer("top_k", text, in: 1...TokenPredictions.maxCount))
    }
    try checkFormat()
  }

  private func checkFormat() throws(ServiceError) {
    if format == .json, elements != .float32 {
      throw .invalid("dtype is for base64, npy and safetensors; add one of them as format")
    }
    if format == .npy {
      guard map.keys.count == 1 else {
        throw .invalid("npy holds one entry; ask for one output_key, or for safetensors")
      }
      guard map.predictions == nil else {
        throw .invalid("npy has no place for the ids of top_k; ask for safetensors or json")
      }
      guard elements != .bfloat16 else {
        throw .invalid("npy has no bfloat16; ask for float16 or float32, or for safetensors")
      }
    }
    if map.wantsTokens, format == .npy || format == .safetensors {
      throw .invalid("tokens are told in json and base64 answers only")
    }
  }

  /// How numbers are written.
  var coding: AnswerCursor.Coding {
    switch format {
    case .json: .json
    case .base64: .base64(elements)
    case .npy, .safetensors: .raw(elements)
    }
  }
}

/// How an answer is written.
enum AnswerFormat: String, CaseIterable, Sendable {
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
    for item in RawText(accept ?? "").split(UInt8(ascii: ",")) {
      let parts = item.split(UInt8(ascii: ";")).map(\.trimmed.asciiLowercased)
      if parts.dropFirst().contains(where: Self.isZeroWeight) { continue }
      switch parts[0] {
      case "application/x-npy": self = .npy
      case "application/x-safetensors": self = .safetensors
      case "application/json", "application/*", "*/*": self = .json
      default: continue
      }
      return
    }
    self = .json
  }

  /// `q=0`, with up to three zeros as decimals (RFC 9110 §12.4.2).
  private static func isZeroWeight(_ parameter: RawText) -> Bool {
    ["q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"].contains(parameter)
  }
}
