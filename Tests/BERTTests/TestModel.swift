import Checkpoints
import EncoderContract
import Foundation
import TestSupport
import Testing

@testable import BERT

/// A kernel set at a precision, of those that this CPU runs.
struct KernelChoice: CustomTestStringConvertible, Sendable {
  var precision: Encoder.Precision
  var kernelSet: String

  static let all = Encoder.Precision.allCases.flatMap(of)

  static func of(_ precision: Encoder.Precision) -> [KernelChoice] {
    Encoder.availableKernelSets(for: precision).map {
      KernelChoice(precision: precision, kernelSet: $0)
    }
  }

  var testDescription: String { "\(precision.rawValue), \(kernelSet)" }
}

/// What differs from BERT in a random model.
enum ModelKind: String, CaseIterable, Sendable {
  case bert
  /// A bias by distance, positions that padding has one of, no types.
  case mpnet
  /// Embeddings that are narrower than the hidden states, or wider.
  case electra, wideElectra
  /// Blocks that share their weights.
  case albert
  /// Norms first, windows, rotary positions of two kinds, gates, no biases.
  case modernbert
  /// Norms of the root mean square, heads that share keys and values.
  case eurobert
  /// Norms last, rotary positions, gates.
  case gte
  /// Distances, with rows for them of the layers of queries and keys; no pooler.
  case deberta
  /// Distances of which each has a row, with layers of their own, that keys alone are multiplied with;
  /// embeddings that come to the hidden size before their norm.
  case debertaOwnLayers
  /// A convolution beside the first block.
  case debertaConvolution
  /// A bias that falls with the distance, norms of queries and keys, two norms after attention.
  case jina

  /// As `config.json` has it.
  var modelType: String {
    switch self {
    case .wideElectra: ModelKind.electra.rawValue
    case .jina: ModelKind.bert.rawValue
    case .deberta, .debertaOwnLayers, .debertaConvolution: "deberta-v2"
    default: rawValue
    }
  }
  /// Whether the tokens of its folders have no types.
  var lacksTypes: Bool { [.mpnet, .modernbert, .eurobert].contains(self) }
  /// The vectors that they give.
  var vectors: [OutputKey] {
    let hasPooler = modelType != "deberta-v2"
    return hasPooler ? [.pooledOutput, .sentenceEmbedding] : [.sentenceEmbedding]
  }
}

/// A small random model in a temporary folder, and its weights for the reference.
final class TestModel {
  var configuration: ModelConfiguration
  let checkpoint: Checkpoint
  let weights: [String: [Float]]
  let kind: ModelKind
  private let folder: URL

  init(
    _ kind: ModelKind = .bert, hiddenSize: Int = 24, headCount: Int = 3, intermediateSize: Int = 40,
    blockCount: Int = 3,
    activation: ModelConfiguration.Activation = .geluErf, hasPooler: Bool = true,
    positionCount: Int = 96, seed: UInt64 = 1, vocabularySize: Int = 50, hasMaskedLM: Bool = false,
    change: (inout [String: [Float]]) -> Void = { _ in }
  ) throws {
    var configuration = ModelConfiguration(
      vocabularySize: vocabularySize, hiddenSize: hiddenSize, blockCount: blockCount,
      headCount: headCount,
      intermediateSize: intermediateSize)
    configuration.positionCount = positionCount
    configuration.activation = activation
    self.kind = kind
    let hasPooler = hasPooler && kind.vectors.contains(.pooledOutput)
    var members = ""
    switch kind {
    case .bert: break
    case .mpnet:
      configuration.relativeBias = RelativeBias(bucketCount: 34)
      (configuration.hasPaddingPosition, configuration.padTokenID) = (true, 1)
      members = "\"relative_attention_num_buckets\": 34,"
    case .electra, .wideElectra:
      let size = kind == .electra ? hiddenSize / 3 : 2 * hiddenSize + 3
      configuration.projectedSize = size
      members = "\"embedding_size\": \(size),"
    case .modernbert, .eurobert, .gte: break
    case .deberta, .debertaConvolution:
      configuration.disentangled = DisentangledAttention(bucketCount: 12, maxDistance: 40)
      configuration.scoreTerms = 3
      configuration.paddingAttendsUniformly = true
      configuration.hasPositionTable = false
      members = """
        "relative_attention": true, "pos_att_type": "p2c|c2p", "position_buckets": 12,
        "max_relative_positions": 40, "norm_rel_ebd": "layer_norm", "share_att_key": true,
        "position_biased_input": false,
        """
      if kind == .debertaConvolution {
        configuration.convolution = .init(size: 5)
        members += "\"conv_kernel_size\": 5,"
      }
    case .debertaOwnLayers:
      configuration.disentangled = DisentangledAttention(
        hasKeys: false, bucketCount: 40, hasNorm: false, sharesLayers: false)
      configuration.scoreTerms = 2
      configuration.paddingAttendsUniformly = true
      (configuration.projectedSize, configuration.projectsFirst) = (17, true)
      members = """
        "relative_attention": true, "pos_att_type": ["p2c"], "max_relative_positions": 40,
        "embedding_size": 17,
        """
    case .jina:
      configuration.hasLinearBias = true
      configuration.hasPositionTable = false
      configuration.isGated = true
      configuration.normsQueriesAndKeys = true
      configuration.hasSecondAttentionResidual = true
      configuration.biases = [.attention, .output, .norms]
      members = """
        "architectures": ["JinaBertModel"], "position_embedding_type": "alibi",
        "feed_forward_type": "geglu",
        """
    case .albert:
      configuration.projectedSize = 17
      configuration.blockSetCount = blockCount % 2 == 0 ? 2 : 1
      members = "\"embedding_size\": 17, \"num_hidden_groups\": \(configuration.blockSetCount),"
    }
    if [.modernbert, .eurobert, .gte].contains(kind) {
      configuration.isGated = true
      configuration.hasPositionTable = false
      configuration.isPreNorm = kind != .gte
      configuration.biases = kind == .gte ? [.attention, .output, .norms] : []
      var attention = ModelConfiguration.BlockAttention(rotary: RotaryEmbedding(theta: 500))
      configuration.blockAttention = Array(repeating: attention, count: blockCount)
      members = "\"norm_eps\": 1e-12, \"rms_norm_eps\": 1e-12, \"rope_theta\": 500,"
      switch kind {
      case .eurobert:
        configuration.isRootMeanSquareNorm = true
        configuration.hasEmbeddingNorm = false
        configuration.keyValueHeadCount = 1
        members += "\"num_key_value_heads\": 1,"
      case .modernbert:
        configuration.hasFirstNorm = false
        attention = ModelConfiguration.BlockAttention(rotary: RotaryEmbedding(theta: 20), window: 4)
        for block in 0..<blockCount where block % 2 == 1 {
          configuration.blockAttention[block] = attention
        }
        members += """
          "global_rope_theta": 500, "local_rope_theta": 20, "global_attn_every_n_layers": 2,
          "local_attention": 7,
          """
      default: break
      }
    }
    configuration.hasTypeTable = !kind.lacksTypes
    self.configuration = configuration
    let names = TensorNames(configuration)
    var random = SeededGenerator(seed: seed)
    var weights: [String: [Float]] = [:]
    var specifications = names.required + (hasPooler ? names.pooler : [])
    if hasMaskedLM {
      let part = "cls.predictions"
      members += "\"architectures\": [\"BertForMaskedLM\"],"
      specifications += [
        TensorSpecification("\(part).transform.dense.weight", [hiddenSize, hiddenSize]),
        TensorSpecification("\(part).transform.dense.bias", [hiddenSize]),
        TensorSpecification("\(part).transform.LayerNorm.weight", [hiddenSize]),
        TensorSpecification("\(part).transform.LayerNorm.bias", [hiddenSize]),
        TensorSpecification("\(part).bias", [vocabularySize]),
      ]
    }
    for specification in specifications {
      let count = specification.shape.reduce(1, *)
      let inputs = count / specification.shape[0]
      // Wide enough that softmax and activations leave their linear parts.
      let size = inputs > 1 ? 3 / Float(inputs).squareRoot() : 1
      weights[specification.name] = random.floats(count, in: -size...size)
    }
    let types = TensorNames.tables[2]
    if kind.lacksTypes { weights[types] = weights[types]?.map { _ in 0 } }
    change(&weights)
    self.weights = weights

    folder = FileManager.default.temporaryDirectory.appending(
      component: "bert-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let activationName =
      switch activation {
      case .geluErf: "gelu"
      case .geluTanh: "gelu_new"
      case .relu: "relu"
      case .silu: "silu"
      }
    let config = """
      {"model_type": "\(kind.modelType)", \(members) "vocab_size": \(vocabularySize), "hidden_size": \(hiddenSize),
       "num_hidden_layers": \(blockCount), "num_attention_heads": \(headCount),
       "intermediate_size": \(intermediateSize), "max_position_embeddings": \(kind == .mpnet ? positionCount + 2 : positionCount),
       "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "\(activationName)", "hidden_activation": "\(activationName)"}
      """
    try Data(config.utf8).write(to: folder.appending(component: "config.json"))
    var header: [String] = []
    var data = Data()
    for var specification in specifications where !kind.lacksTypes || specification.name != types {
      var values = weights[specification.name] ?? []
      if kind == .mpnet, specification.name == TensorNames.tables[1] {
        // Row 0 is nobody's.
        specification.shape[0] += 1
        values = [Float](repeating: .nan, count: hiddenSize) + values
      }
      let start = data.count
      for value in values {
        for shift in stride(from: 0, to: 32, by: 8) {
          data.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(shift)))
        }
      }
      header.append(
        "\"\(specification.name)\": {\"dtype\": \"F32\", \"shape\": \(specification.shape), "
          + "\"data_offsets\": [\(start), \(data.count)]}")
    }
    let text = Data("{\(header.joined(separator: ", "))}".utf8)
    var file = Data()
    for shift in stride(from: 0, to: 64, by: 8) {
      file.append(UInt8(truncatingIfNeeded: text.count >> shift))
    }
    file += text + data
    try file.write(to: folder.appending(component: "model.safetensors"))
    checkpoint = try Checkpoint(folder: folder.path)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func encoder(
    _ choice: KernelChoice, threads: ComputeThreads, sentence: SentenceModules? = nil,
    maxBatchRows: Int = 2_048
  ) throws -> Encoder {
    try Encoder(
      checkpoint, sentence: sentence, threads: threads, precision: choice.precision,
      kernelSet: choice.kernelSet, maxBatchRows: maxBatchRows)
  }

  /// Random tokens, the second half of another type, some of them padding.
  static func sequence(
    _ count: Int, attended: Int? = nil, _ random: inout SeededGenerator
  ) -> TokenSequence {
    TokenSequence(
      ids: (0..<count).map { _ in Int32.random(in: 0..<50, using: &random) },
      typeIDs: (0..<count).map { $0 < count / 2 ? 0 : 1 }, attendedCount: attended)
  }
}
