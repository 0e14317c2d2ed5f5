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
  /// Special tokens included.
  package var maxTokens: Int
  package var truncation = Truncation.right
  /// Whether the answer tells where each token comes from.
  package var wantsTokens = false
  /// Whether a Normalize module of the folder is applied to `sentence_embedding`.
  package var normalizesSentence = true
  /// Whether the folder's default prompt is put before texts.
  package var usesDefaultPrompt = true
  package var timeout: Duration?
  /// The first text of pairs, whose second ones are the inputs.
  package var firstText: String?

  /// The model's own way with texts.
  package init(_ model: ServedModel, keys: [OutputKey]) {
    self.model = model
    self.keys = keys
    layers = Array(0..<model.info.blockCount)
    maxTokens = model.defaultMaxTokens
  }

  /// Put before every text: sentence-transformers' default prompt is part of what a
  /// `sentence_embedding` is.
  package var prompt: String? {
    usesDefaultPrompt && keys.contains(.sentenceEmbedding) ? model.sentence?.defaultPrompt : nil
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
    return selection
  }

  /// Numbers of the whole answer, known before anything is encoded.
  package func numberCount(texts: Int, tokens: Int) -> Int {
    keys.reduce(0) { sum, key in
      let rows =
        switch key.part {
        case .text: texts
        case .token: tokens
        case .tokenOfBlock: tokens * layers.count
        }
      return sum + rows * model.info.width(of: key)
    }
  }
}
