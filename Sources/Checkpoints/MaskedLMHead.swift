import JSON

/// The layers that turn the encoder's last output into a number for each token of the vocabulary:
/// dense, a function, layer norm, and a product that mostly shares its weights with the word
/// embeddings.
///
/// Source: transformers' `BertForMaskedLM` and the same of BERT's relatives.
public struct MaskedLMHead: Sendable {
  public var activation: ModelConfiguration.Activation
  /// [E, H] and [E]
  public var dense: (weights: Tensor, bias: Tensor)
  /// [E] each
  public var norm: (scale: Tensor, shift: Tensor)
  /// [V, E]; nil: the word embeddings.
  public var decoder: Tensor?
  /// [V]
  public var bias: Tensor

  /// V
  public var vocabularySize: Int { bias.count }
  /// E, values of a token between dense and decoder.
  public var size: Int { dense.bias.count }
  /// "30522 tokens, with the word embeddings' weights": for people.
  public var summary: String {
    "\(vocabularySize) tokens, "
      + (decoder == nil ? "with the word embeddings' weights" : "with weights of its own")
  }
}

/// Where a class of transformers has the layers of its masked-language-model head.
struct MaskedLMLayout: Sendable {
  var dense: String
  var norm: String
  var decoder: String
  /// A bias outside the decoder, which is the decoder's own.
  var sharedBias: String?
  /// Nil: the encoder's.
  var activation: ModelConfiguration.Activation?
  /// Whether dense and norm may have no bias.
  var hasOptionalBiases = false

  /// RoBERTa's, and its relatives'.
  static let lmHead = MaskedLMLayout(
    dense: "lm_head.dense", norm: "lm_head.layer_norm", decoder: "lm_head.decoder",
    sharedBias: "lm_head.bias", activation: .geluErf)
}

extension MaskedLMHead {
  /// - Parameters:
  ///   - file: `config.json`.
  ///   - tensors: those of the file of weights that are not the encoder's.
  static func find(
    _ file: JSONFile, _ family: HuggingFaceFamily, _ tensors: [Tensor],
    _ configuration: ModelConfiguration
  ) throws(CheckpointError) -> HeadFinding<MaskedLMHead> {
    guard case .array(let names) = file["architectures"], case .string(let name)? = names.first
    else { return .none(because: "config.json names no class with a head in architectures") }
    let shown = name.prefix(64)
    guard name.hasSuffix("ForMaskedLM") else {
      return .none(because: "config.json names \(shown), which has no masked-LM head")
    }
    guard let layout = family.maskedLM else {
      return .none(because: "the head of \(shown) is not supported", isExpected: true)
    }
    let isTied = try file.boolean("tie_word_embeddings") ?? true
    let (hidden, vocabulary) = (configuration.hiddenSize, configuration.vocabularySize)
    let size = configuration.embeddingSize
    var missing: [String] = []
    /// The first of the names counts.
    func tensor(_ names: [String], _ shape: [Int], isOptional: Bool = false) -> Tensor? {
      let found = names.lazy.compactMap { name in tensors.first { $0.name == name } }.first
      if found == nil, isOptional {
        return Tensor(name: names[0], shape: shape, floats: Array(repeating: 0, count: shape[0]))
      }
      if let found, found.shape == shape, found.elementType.isFloat { return found }
      missing.append("\(names[0]) \(shape)" + (found.map { ", but \($0.shape)" } ?? ""))
      return nil
    }
    let weights = tensor([layout.dense + ".weight"], [size, hidden])
    let isOptional = layout.hasOptionalBiases
    let bias = tensor([layout.dense + ".bias"], [size], isOptional: isOptional)
    // The second are the spellings of the first conversions from TensorFlow.
    let scale = tensor([layout.norm + ".weight", layout.norm + ".gamma"], [size])
    let shift = tensor(
      [layout.norm + ".bias", layout.norm + ".beta"], [size], isOptional: isOptional)
    // transformers ties what is not stored; a decoder of its own counts where it is.
    let decoderName = layout.decoder + ".weight"
    let isOwn = !isTied || tensors.contains { $0.name == decoderName }
    let decoder = isOwn ? tensor([decoderName], [vocabulary, size]) : nil
    let biases = [layout.decoder + ".bias"] + (isTied ? layout.sharedBias.map { [$0] } ?? [] : [])
    let hasBias = try file.boolean("decoder_bias") ?? true
    let decoderBias = tensor(biases, [vocabulary], isOptional: isOptional && !hasBias)
    guard missing.isEmpty, let weights, let bias, let scale, let shift, let decoderBias else {
      return .none(
        because: "config.json names \(shown), and the weights have no "
          + missing.joined(separator: ", "),
        isExpected: true)
    }
    return .head(
      MaskedLMHead(
        activation: layout.activation ?? configuration.activation, dense: (weights, bias),
        norm: (scale, shift), decoder: decoder, bias: decoderBias))
  }
}
