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
  /// Nil: the word embeddings, whatever `tie_word_embeddings` says.
  var decoder: String?
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
    guard let name = file.architecture else { return .noClass }
    guard name.hasSuffix("ForMaskedLM") else {
      return .none(because: "config.json names \(name.prefix(64)), which has no masked-LM head")
    }
    var found = family.maskedLM
    if let new = family.nonLegacyMaskedLM, try file.boolean("legacy") == false { found = new }
    guard let layout = found else { return .unsupported(name) }
    let isTied = try file.boolean("tie_word_embeddings") ?? true || layout.decoder == nil
    let (hidden, vocabulary) = (configuration.hiddenSize, configuration.vocabularySize)
    let size = configuration.embeddingSize
    var tensors = HeadTensors(tensors)
    let isOptional = layout.hasOptionalBiases
    let weights = tensors.take("\(layout.dense).weight", shape: [size, hidden])
    let bias = tensors.take("\(layout.dense).bias", shape: [size], isOptional: isOptional)
    // The second are the spellings of the first conversions from TensorFlow.
    let scale = tensors.take(
      ["\(layout.norm).weight", "\(layout.norm).gamma"], shape: [size])
    let shift = tensors.take(
      ["\(layout.norm).bias", "\(layout.norm).beta"], shape: [size], isOptional: isOptional)
    // transformers ties what is not stored; a decoder of its own counts where it is.
    var decoder: Tensor?
    if let name = layout.decoder, !isTied || tensors.has("\(name).weight") {
      decoder = tensors.take("\(name).weight", shape: [vocabulary, size])
    }
    let hasBias = try file.boolean("decoder_bias") ?? true
    let biasNames = [layout.decoder.map { "\($0).bias" }, isTied ? layout.sharedBias : nil]
      .compactMap(\.self)
    let decoderBias = tensors.take(
      biasNames, shape: [vocabulary], isOptional: isOptional && !hasBias)
    guard tensors.missing.isEmpty, let weights, let bias, let scale, let shift, let decoderBias
    else {
      return .none(
        because: "config.json names \(name.prefix(64)), and the weights have no "
          + tensors.missing.joined(separator: ", "),
        isExpected: true)
    }
    return .head(
      MaskedLMHead(
        activation: layout.activation ?? configuration.activation, dense: (weights, bias),
        norm: (scale, shift), decoder: decoder, bias: decoderBias))
  }
}
