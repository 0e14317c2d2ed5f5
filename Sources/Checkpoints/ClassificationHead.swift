public import EncoderContract
import JSON
import UntrustedInput

/// The layers that turn the encoder's last output into a number for each label.
///
/// Source: transformers' `BertForSequenceClassification`, `BertForTokenClassification` and the same of
/// BERT's relatives.
public struct ClassificationHead: Sendable {
  /// What the first layer reads.
  public enum Input: Equatable, Sendable {
    /// The pooler's vector.
    case pooled
    case firstToken
    /// The mean of all tokens' vectors.
    case meanOfTokens
    /// Each token alone: labels are of tokens.
    case eachToken
  }

  /// A layer as it is stored.
  struct Layer: Sendable {
    /// [outputs, inputs]
    var weights: Tensor
    /// [outputs]
    var bias: Tensor
    var activation: DenseLayer.Activation
    /// A layer norm after it: [outputs] each.
    var norm: (scale: Tensor, shift: Tensor)?
  }

  public var input: Input
  var storedLayers: [Layer]
  /// A name for each of the last layer's outputs.
  public var labels: [String]
  /// Nil where the numbers are no one's probabilities: in a regression.
  public var scoreFunction: ScoreFunction?

  /// Of norms.
  var epsilon = 1e-5

  /// Bytes of memory of the layers once they are read.
  public var byteCount: Int {
    storedLayers.reduce(0) { sum, layer in
      let norm = layer.norm.map { $0.scale.count + $0.shift.count } ?? 0
      return sum + (layer.weights.count + layer.bias.count + norm) * MemoryLayout<Float>.size
    }
  }

  /// Reads the weights, from the input on.
  public func layers() throws(CheckpointError) -> [SentenceModules.Layer] {
    var layers: [SentenceModules.Layer] = []
    for layer in storedLayers {
      layers.append(
        .dense(
          DenseLayer(
            inputs: layer.weights.shape[1], outputs: layer.weights.shape[0],
            weights: try layer.weights.floats(), bias: try layer.bias.floats(),
            activation: layer.activation)))
      guard let norm = layer.norm else { continue }
      layers.append(
        .layerNorm(
          SentenceModules.LayerNorm(
            weights: try norm.scale.floats(), bias: try norm.shift.floats(), epsilon: epsilon)))
    }
    return layers
  }

  /// "3 labels of a text, softmax": for people.
  public var summary: String {
    let subject = input == .eachToken ? "token" : "text"
    let count = "\(labels.count) label\(labels.count == 1 ? "" : "s") of a \(subject)"
    return count + (scoreFunction.map { ", \($0.rawValue)" } ?? "")
  }
}

/// A folder's head, or why it has none.
public enum HeadFinding<Head: Sendable>: Sendable {
  case head(Head)
  /// - Parameter isExpected: whether the configuration says that there is one.
  case none(because: String, isExpected: Bool = false)

  public var head: Head? {
    if case .head(let head) = self { head } else { nil }
  }

  /// Why there is none although the configuration says that there is one; nil otherwise.
  public var unmetExpectation: String? {
    if case .none(let reason, isExpected: true) = self { reason } else { nil }
  }

  /// Empty if there is one.
  public var absence: String {
    if case .none(let reason, _) = self { reason } else { "" }
  }
}

extension ClassificationHead {
  /// - Parameters:
  ///   - file: `config.json`.
  ///   - tensors: those of the file of weights that are not the encoder's.
  static func find(
    _ file: JSONFile, _ family: HuggingFaceFamily, _ tensors: [Tensor],
    _ configuration: ModelConfiguration, hasPooler: Bool
  ) throws(CheckpointError) -> HeadFinding<ClassificationHead> {
    guard let name = file.architecture else { return .noClass }
    let isOfTokens = name.hasSuffix("ForTokenClassification")
    guard isOfTokens || name.hasSuffix("ForSequenceClassification") else {
      return .none(
        because: "config.json names \(name.prefix(64)), which has no classification head")
    }
    guard let layout = isOfTokens ? family.tokenHead : family.textHead else {
      return .unsupported(name)
    }
    if layout.input == .pooled, !hasPooler {
      return .none(
        because: "its classification head reads a pooler, and the weights have none",
        isExpected: true)
    }
    let labels = try labels(file)
    let size = configuration.hiddenSize
    var tensors = HeadTensors(tensors)
    var layers: [Layer] = []
    for (index, layer) in layout.layers.enumerated() {
      let isLast = index == layout.layers.count - 1
      let outputs = isLast ? labels.count : size
      let isOptional = !isLast && layout.hasOptionalBiases
      let weights = tensors.take("\(layer.name).weight", shape: [outputs, size])
      let bias = tensors.take("\(layer.name).bias", shape: [outputs], isOptional: isOptional)
      var norm: (Tensor, Tensor)?
      if let name = layer.norm {
        let scale = tensors.take("\(name).weight", shape: [outputs])
        let shift = tensors.take("\(name).bias", shape: [outputs], isOptional: isOptional)
        if let scale, let shift { norm = (scale, shift) }
      }
      guard let weights, let bias else { continue }
      var activation = layer.activation
      if index == 0, let key = layout.activationKey {
        activation = try self.activation(key, file) ?? activation
      }
      layers.append(Layer(weights: weights, bias: bias, activation: activation, norm: norm))
    }
    guard tensors.missing.isEmpty else {
      return .none(
        because:
          "config.json names \(name.prefix(64)) with \(labels.count) labels, and the weights "
          + "have no " + tensors.missing.joined(separator: ", "),
        isExpected: true)
    }
    var head = ClassificationHead(input: layout.input, storedLayers: layers, labels: labels)
    head.epsilon = configuration.layerNormEpsilon
    if !isOfTokens, layout.readsPooling {
      head.input = try pooling(file)
    }
    if !isOfTokens { head.scoreFunction = try scoreFunction(file, labelCount: labels.count) }
    return .head(head)
  }

  /// The function that a key names as transformers does; nil if it names none.
  private static func activation(
    _ key: String, _ file: JSONFile
  ) throws(CheckpointError) -> DenseLayer.Activation? {
    guard let name = try file.string(key) else { return nil }
    let known: [String: DenseLayer.Activation] = [
      "gelu": .gelu, "tanh": .tanh, "relu": .relu, "silu": .silu, "swish": .silu, "mish": .mish,
      "sigmoid": .sigmoid, "linear": .identity,
    ]
    guard let activation = known[name] else {
      throw file.invalid(key, "must be one of \(known.keys.sorted().joined(separator: ", "))")
    }
    return activation
  }

  /// ModernBERT's key.
  private static func pooling(_ file: JSONFile) throws(CheckpointError) -> Input {
    switch try file.string("classifier_pooling") {
    case nil, "cls": return .firstToken
    case "mean": return .meanOfTokens
    default: throw file.invalid("classifier_pooling", "must be cls or mean")
    }
  }

  /// `id2label`, whose keys are numbers from 0; without it `LABEL_0` and so on.
  private static func labels(_ file: JSONFile) throws(CheckpointError) -> [String] {
    let limit = ModelConfiguration.Limits.vectorSize
    switch file["id2label"] {
    case .null:
      let count = try file.integer("num_labels", in: limit) ?? 2
      return (0..<count).map { "LABEL_\($0)" }
    case .object(let names) where names.isEmpty:
      throw file.invalid("id2label", "must have a label's name for 0 at least")
    case .object(let names) where limit ~= names.count:
      var labels: [String] = []
      for index in 0..<names.count {
        switch names[RawText(String(index))] {
        case .string(let label)?: labels.append(label)
        case .integer(let number)?: labels.append(number.description)
        default:
          throw .invalidValue(
            path: file.path, key: "id2label",
            reason:
              "must have a name for each number from 0 to \(names.count - 1), and has none for "
              + "\(index)")
        }
      }
      return labels
    default: throw file.invalid("id2label", "must be an object of labels' names by their numbers")
    }
  }

  /// The function that transformers' text-classification pipeline takes, unless sentence-transformers'
  /// CrossEncoder has another one. Its Identity says that it returns logits, which are a key here.
  private static func scoreFunction(
    _ file: JSONFile, labelCount: Int
  ) throws(CheckpointError) -> ScoreFunction? {
    let usual: ScoreFunction? =
      switch try file.string("problem_type") {
      case "regression": nil
      case "multi_label_classification": .sigmoid
      case nil, "single_label_classification": labelCount == 1 ? .sigmoid : .softmax
      default:
        throw file.invalid(
          "problem_type",
          "must be regression, single_label_classification or multi_label_classification")
      }
    var name = try file.string("sbert_ce_default_activation_function")
    if case .object(let settings) = file["sentence_transformers"] {
      switch settings["activation_fn"] {
      case .string(let text)?: name = text
      case nil, .null?: break
      default: throw file.invalid("sentence_transformers", "activation_fn must be a class's name")
      }
    }
    switch name?.split(separator: ".").last {
    case nil, "Identity": return usual
    case "Sigmoid": return .sigmoid
    case "Softmax" where labelCount == 1:
      throw .unsupported(
        path: file.path,
        reason:
          "the activation_fn Softmax of one label is 1 for every text; Sigmoid and Identity are "
          + "supported for one")
    case "Softmax": return .softmax
    case let other?:
      throw .unsupported(
        path: file.path,
        reason:
          "the activation_fn \(other.prefix(64)) of a CrossEncoder is not supported; Identity, "
          + "Sigmoid and Softmax are")
    }
  }
}

/// Where a class of transformers has the layers of its head.
struct HeadLayout: Sendable {
  var input: ClassificationHead.Input
  /// From the input on.
  var layers: [Layer]
  /// Whether layers but the last may have no bias, nor their norms.
  var hasOptionalBiases = false
  /// The key of `config.json` that names the first layer's function.
  var activationKey: String?
  /// Whether `classifier_pooling` says what the first layer reads of a text.
  var readsPooling = false

  struct Layer: Sendable {
    var name: String
    var activation = DenseLayer.Activation.identity
    /// A layer norm after it.
    var norm: String?
  }

  /// Of tokens: the same for all families.
  static let tokens = HeadLayout(input: .eachToken, layers: [Layer(name: "classifier")])
  /// Of texts, on the pooler's vector.
  static let pooled = HeadLayout(input: .pooled, layers: [Layer(name: "classifier")])

  /// Of texts, with a layer of its own in place of the pooler.
  static func firstToken(_ activation: DenseLayer.Activation) -> HeadLayout {
    HeadLayout(
      input: .firstToken,
      layers: [
        Layer(name: "classifier.dense", activation: activation), Layer(name: "classifier.out_proj"),
      ])
  }
}
