package import EncoderContract
package import Tokenizers

/// What is asked of a model's map, and how texts become tokens for it: the same for all protocols.
package struct MapRequest: Sendable {
  package enum Padding: Equatable {
    case none
    case to(Int)
    case longest
  }

  package let model: ServedModel
  /// Without duplicates, in the order asked for.
  package var keys: [OutputKey]
  /// Indices of the blocks in the `encoder_outputs` entry, in the order asked for.
  package var layers: [Int]
  var padding = Padding.none
  /// The most tokens of a text, special ones included: the request's limit, or the model's for what is
  /// asked for.
  package var maxTokens: Int {
    get { givenMaxTokens ?? colbert?.maxTokens ?? model.defaultMaxTokens }
    set { givenMaxTokens = newValue }
  }
  private var givenMaxTokens: Int?
  package var truncation = Truncation.right
  /// Whether the answer tells where each token comes from.
  package var wantsTokens = false
  /// Whether a Normalize module of the folder is applied to `sentence_embedding`.
  package var normalizesSentence = true
  /// Whether the folder's prompts are put before texts.
  package var usesDefaultPrompt = true
  /// What the texts are; nil if the request does not say.
  var inputType: InputType?
  /// The likeliest tokens, which are given in place of all of `mlm_logits`.
  package var predictions: TokenPredictions?
  package var timeout: Duration?
  /// The first text of pairs, whose second ones are the inputs.
  package var firstText: String?

  /// The model's own way with texts.
  package init(_ model: ServedModel, keys: [OutputKey]) {
    self.model = model
    self.keys = keys
    layers = Array(0..<model.info.blockCount)
  }

  /// How texts are read for `colbert`; nil if it is not asked for.
  var colbert: ColBERTInput? {
    keys.contains(.colbert) ? model.colbertInputs[inputType ?? .document] : nil
  }

  /// Rows of tokens are to be a rectangle, whatever the texts.
  package mutating func makeRectangular() {
    guard padding == .none else { return }
    padding = model.padsRows && maxTokens == model.defaultMaxTokens ? .to(maxTokens) : .longest
  }

  /// What one text's pass has to produce.
  package var selection: OutputSelection {
    var selection = OutputSelection()
    for key in keys {
      switch key {
      case .sequenceOutput: selection.blocks.insert(model.info.blockCount - 1)
      case .encoderOutputs: for layer in layers { selection.blocks.insert(layer) }
      default: selection.insert(key)
      }
    }
    selection.normalizesSentence = normalizesSentence
    selection.predictions = predictions
    selection.unweighted = model.unweightedTokens ?? []
    if let colbert { selection.scored = colbert.scored }
    return selection
  }

  /// Numbers of a row of an entry.
  package func width(of key: OutputKey) -> Int {
    let width = model.info.width(of: key)
    return key == .mlmLogits ? predictions?.count(of: width) ?? width : width
  }

  /// Whether an entry's numbers are those of the likeliest tokens, whose ids are told beside them.
  package func isPredicted(_ key: OutputKey) -> Bool { key == .mlmLogits && predictions != nil }

  /// Tokens that are told in place of `mlm_logits`.
  package func predictionCount(tokens: Int) -> Int {
    keys.contains(.mlmLogits) && predictions != nil && !isOfSomeRows
      ? tokens * width(of: .mlmLogits) : 0
  }

  /// Whether predictions are of rows that are known only when texts are tokens: `MapJob.bytesOfText` counts
  /// them.
  private var isOfSomeRows: Bool { predictions?.rowsOf != nil }

  /// Numbers of the whole answer, known before anything is encoded.
  package func numberCount(texts: Int, tokens: Int) -> Int {
    keys.reduce(0) { sum, key in
      if key == .mlmLogits, isOfSomeRows { return sum }
      let rows =
        switch key.part {
        case .text: texts
        case .token: tokens
        case .tokenOfBlock: tokens * layers.count
        }
      return sum + rows * width(of: key)
    }
  }
}
