import JSON

/// The layers that turn the encoder's last output into a number for each token of the vocabulary:
/// dense, a function, layer norm, all three or none, and a product that mostly shares its weights with
/// the word embeddings.
///
/// Source: transformers' `BertForMaskedLM` and the same of BERT's relatives.
public struct MaskedLMHead: Sendable {
  public var transform: Transform?
  /// [V, E]; nil: the word embeddings.
  public var decoder: Tensor?
  /// [V]
  public var bias: Tensor

  /// E, values of a token that the decoder reads.
  public var size: Int

  /// What comes before the decoder.
  public struct Transform: Sendable {
    public var activation: ModelConfiguration.Activation
    /// [E, H] and [E]
    public var dense: (weights: Tensor, bias: Tensor)
    /// [E] each
    public var norm: (scale: Tensor, shift: Tensor)
  }

  /// V
  public var vocabularySize: Int { bias.count }
  /// "30522 tokens, with the word embeddings' weights": for people.
  public var summary: String {
    "\(vocabularySize) tokens, "
      + (decoder == nil ? "with the word embeddings' weights" : "with weights of its own")
  }
}

/// Where a class of transformers has the layers of its masked-language-model head.
struct MaskedLMLayout: Sendable {
  /// What the class's name ends with.
  var classSuffix = "ForMaskedLM"
  /// Both, or neither.
  var dense, norm: String?
  /// Nil: the word embeddings, whatever `tie_word_embeddings` says.
  var decoder: String?
  /// Whether a decoder that is not stored has the word embeddings' weights.
  var canTie = true
  /// A bias outside the decoder, which is the decoder's own.
  var sharedBias: String?
  /// Nil: the encoder's.
  var activation: ModelConfiguration.Activation?
  /// The key of `config.json` that names it instead.
  var activationKey: String?
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
    var found = family.maskedLM
    if let new = family.nonLegacyMaskedLM, try file.boolean("legacy") == false { found = new }
    guard let layout = found, name.hasSuffix(layout.classSuffix) else {
      if name.hasSuffix("ForMaskedLM") { return .unsupported(name) }
      return .none(because: "config.json names \(name.prefix(64)), which has no masked-LM head")
    }
    let isTied = try file.boolean("tie_word_embeddings") ?? true || layout.decoder == nil
    let vocabulary = configuration.vocabularySize
    let size = layout.dense == nil ? configuration.hiddenSize : configuration.embeddingSize
    var tensors = HeadTensors(tensors)
    let transform = try transform(layout, file, &tensors, configuration)
    // transformers ties what is not stored; a decoder of its own counts where it is.
    var decoder: Tensor?
    if let name = layout.decoder, !isTied || !layout.canTie || tensors.has("\(name).weight") {
      decoder = tensors.take("\(name).weight", shape: [vocabulary, size])
    }
    let hasBias = try file.boolean("decoder_bias") ?? true
    let biasNames = [layout.decoder.map { "\($0).bias" }, isTied ? layout.sharedBias : nil]
      .compactMap(\.self)
    let decoderBias = tensors.take(
      biasNames, shape: [vocabulary], isOptional: layout.hasOptionalBiases && !hasBias)
    guard tensors.missing.isEmpty, let decoderBias else {
      return .none(
        because: "config.json names \(name.prefix(64)), and the weights have no "
          + tensors.missing.joined(separator: ", "),
        isExpected: true)
    }
    return .head(
      MaskedLMHead(transform: transform, decoder: decoder, bias: decoderBias, size: size))
  }

  /// Nil if the class has none, or the weights lack a part of it.
  private static func transform(
    _ layout: MaskedLMLayout, _ file: JSONFile, _ tensors: inout HeadTensors,
    _ configuration: ModelConfiguration
  ) throws(CheckpointError) -> Transform? {
    guard let dense = layout.dense, let norm = layout.norm else { return nil }
    let (hidden, size) = (configuration.hiddenSize, configuration.embeddingSize)
    let isOptional = layout.hasOptionalBiases
    let weights = tensors.take("\(dense).weight", shape: [size, hidden])
    let bias = tensors.take("\(dense).bias", shape: [size], isOptional: isOptional)
    // The second are the spellings of the first conversions from TensorFlow.
    let scale = tensors.take(["\(norm).weight", "\(norm).gamma"], shape: [size])
    let shift = tensors.take(
      ["\(norm).bias", "\(norm).beta"], shape: [size], isOptional: isOptional)
    var activation = layout.activation ?? configuration.activation
    if let key = layout.activationKey, let named = try file.activation(key) { activation = named }
    guard let weights, let bias, let scale, let shift else { return nil }
    return Transform(activation: activation, dense: (weights, bias), norm: (scale, shift))
  }
}
