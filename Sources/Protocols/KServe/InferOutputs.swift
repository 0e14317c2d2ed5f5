import EncoderContract
import Encoding
import JSON
import Serving
import UntrustedInput

/// The tensors that an infer request is answered with.
struct InferOutputs {
  struct Tensor {
    enum Content {
      case entry(OutputKey)
      /// One block of `encoder_outputs`, [B, S, H].
      case block(Int)
      /// [B, S], 1 for a token and 0 for padding.
      case attentionMask
      /// [B], tokens of each text.
      case lengths
    }

    let name: RawText
    let content: Content
    let isBinary: Bool
  }

  let tensors: [Tensor]
  /// Blocks of the `encoder_outputs` tensor.
  let layers: [Int]

  /// Without any asked for, all that are one vector a text.
  init(
    _ asked: [InferRequest.Output], layers: [Int], isBinary: Bool, of model: ServedModel
  ) throws(ServiceError) {
    var tensors: [Tensor] = []
    for output in asked {
      guard let content = Tensor.Content(output.name, of: model.info) else {
        throw .invalid(
          "unexpected inference output '\(output.name)' for model '\(model.name)'; there are "
            + Self.names(of: model.info).joined(separator: ", "))
      }
      guard !tensors.contains(where: { $0.name == output.name }) else {
        throw .invalid("output '\(output.name)' is asked for twice")
      }
      tensors.append(
        Tensor(name: output.name, content: content, isBinary: output.isBinary ?? isBinary))
    }
    if asked.isEmpty {
      for key in model.info.keys where key.part == .text {
        tensors.append(
          Tensor(name: RawText(key.rawValue), content: .entry(key), isBinary: isBinary))
      }
      guard !tensors.isEmpty else {
        throw .invalid(
          "this model has no vector of a text; ask for outputs of "
            + Self.names(of: model.info).joined(separator: ", "))
      }
    }
    self.tensors = tensors
    self.layers = layers
  }

  /// Names of all outputs, in the order in which the metadata lists them.
  static func names(of info: ModelInfo) -> [String] {
    info.keys.map(\.rawValue)
      + (info.has(.encoderOutputs) ? 0..<info.blockCount : 0..<0).map {
        "encoder_outputs.\($0)"
      }
      + ["attention_mask", "lengths"]
  }

  /// The map request that has what the tensors need.
  func complete(_ request: inout MapRequest) {
    request.keys = []
    request.layers = []
    var hasRows = false
    for tensor in tensors {
      switch tensor.content {
      case .entry(let key):
        if !request.keys.contains(key) { request.keys.append(key) }
        if key == .encoderOutputs { request.layers += layers }
        hasRows = hasRows || key.part != .text
      case .block(let block):
        if !request.keys.contains(.encoderOutputs) { request.keys.append(.encoderOutputs) }
        request.layers.append(block)
        hasRows = true
      case .attentionMask: hasRows = true
      case .lengths: break
      }
    }
    if hasRows { request.makeRectangular() }
  }
}

extension InferOutputs.Tensor.Content {
  /// - Returns: nil if the model has no such output.
  init?(_ name: RawText, of info: ModelInfo) {
    if let key = OutputKey(name), info.has(key) {
      self = .entry(key)
    } else if name == "attention_mask" {
      self = .attentionMask
    } else if name == "lengths" {
      self = .lengths
    } else if info.has(.encoderOutputs),
      let claimed = name.dropping(prefix: "encoder_outputs.")?.integer,
      let block = claimed.within(-info.blockCount..<info.blockCount)
    {
      self = .block(block < 0 ? block + info.blockCount : block)
    } else {
      return nil
    }
  }

  var datatype: String {
    switch self {
    case .entry, .block: "FP32"
    case .attentionMask, .lengths: "INT64"
    }
  }

  /// -1 for sizes that differ from request to request.
  func shape(of model: ModelInfo) -> [Int] {
    switch self {
    case .entry(let key):
      model.shape(of: key, blocks: nil, texts: nil, tokens: nil).map { $0 ?? -1 }
    case .block: [-1, -1, model.hiddenSize]
    case .attentionMask: [-1, -1]
    case .lengths: [-1]
    }
  }
}
