/// A model folder's configuration and weights, whatever the format of its files.
public struct Checkpoint: Sendable {
  /// Where a folder comes from, and so whose rules its text follows.
  public enum Format: String, Sendable {
    /// `config.json`, and `model.safetensors` or `pytorch_model.bin`, or their shards.
    case huggingFace = "hugging-face"
    /// `saved_model.pb` and `variables/`.
    case savedModel = "saved-model"
    /// `bert_config.json` and `bert_model.ckpt.*`.
    case original = "original-bert"
  }

  public let folder: String
  public let format: Format
  public let configuration: ModelConfiguration
  /// Names of the files that configuration and weights are in.
  public let files: [String]
  /// What the folder tells of its tokens beside a `tokenizer_config.json`; nil if nothing.
  public let lowercases: Bool?
  /// Whether `lowercases` is only what the vocabulary looks like.
  public let guessesCase: Bool
  /// A vocabulary that is not where Hugging Face's folders have theirs.
  public let vocabularyPath: String?
  /// A SavedModel's vocabulary if it is of SentencePiece.
  public let sentencePiece: SentencePieceSteps?
  /// Keys of the output map that the folder's own framework gives; nil if that is no matter of the
  /// folder's.
  public let keys: Set<String>?
  /// What classifies texts or tokens.
  public let head: HeadFinding<ClassificationHead>
  /// What gives each token of a text a number for each of the vocabulary.
  public let maskedLM: HeadFinding<MaskedLMHead>
  /// The part of a larger model that the encoder is; nil if it is all of it.
  public let part: String?
  /// The length, special tokens included, to which the preprocessing model in a larger model fills texts
  /// up; nil without one.
  public let textLength: Int?
  /// By canonical name: Hugging Face's, without the `bert.` prefix, `weight` and `bias` for layer
  /// norms. Linear weights are [out, in]. Without those of heads.
  private let tensors: [String: Tensor]

  /// Opens a model folder; weights are read later, when they are packed.
  ///
  /// Looks for one format after the other, and says what it found if it is none of them.
  public init(folder: String) throws(CheckpointError) {
    try self.init(folder: folder, verifiesChecksums: true)
  }

  /// - Parameter verifiesChecksums: false only for tests that look behind a checksum.
  init(folder: String, verifiesChecksums: Bool) throws(CheckpointError) {
    self.folder = folder
    try CheckpointError.refuseAdapter(folder)
    if HuggingFaceFolder.isPresent(in: folder) {
      let model = try HuggingFaceFolder(folder, verifiesChecksums: verifiesChecksums)
      format = .huggingFace
      (configuration, tensors) = (model.configuration, model.tensors)
      files = model.files
      (lowercases, guessesCase, vocabularyPath) = (nil, false, nil)
      (sentencePiece, keys, part, textLength) = (nil, nil, nil, nil)
      head = model.head
      maskedLM = model.maskedLM
    } else if SavedModelFolder.isPresent(in: folder) {
      let model = try SavedModelFolder(folder, verifiesChecksums: verifiesChecksums)
      format = .savedModel
      (configuration, tensors) = (model.configuration, model.tensors)
      files = SavedModelFolder.files
      (lowercases, guessesCase) = (model.lowercases, model.guessesCase)
      (vocabularyPath, sentencePiece) = (model.vocabularyPath, model.sentencePiece)
      (keys, part) = (model.keys, model.part)
      (head, textLength) = (model.head, model.textLength)
      maskedLM = .none(because: "masked-LM heads of a SavedModel are not supported")
    } else if OriginalFolder.isPresent(in: folder) {
      let model = try OriginalFolder(folder, verifiesChecksums: verifiesChecksums)
      format = .original
      (configuration, tensors) = (model.configuration, model.tensors)
      files = OriginalFolder.files
      (lowercases, guessesCase) = (model.lowercases, model.lowercases != nil)
      (vocabularyPath, sentencePiece, keys, part, textLength) = (nil, nil, nil, nil, nil)
      head = .none(because: "heads of an original checkpoint are not supported")
      maskedLM = .none(because: head.absence)
    } else {
      throw .unknownFormat(folder)
    }
  }

  /// Names of all tensors, sorted.
  public var tensorNames: [String] { tensors.keys.sorted() }

  /// A tensor by its canonical name.
  public func tensor(_ name: String) -> Tensor? { tensors[name] }

  /// The tensors of a model, by name, checked against what the model needs.
  ///
  /// - Parameters:
  ///   - required: every one must be there with its shape and a floating-point type.
  ///   - optional: groups of which all tensors or none must be there.
  /// - Throws: one error that names all tensors that are missing, of a wrong shape or type, or
  ///   not asked for.
  public func tensors(
    _ required: [TensorSpecification], optional: [[TensorSpecification]] = []
  ) throws(CheckpointError) -> [String: Tensor] {
    try Self.check(tensors, required, optional: optional, folder)
  }

  static func check(
    _ tensors: [String: Tensor], _ required: [TensorSpecification],
    optional: [[TensorSpecification]], _ path: String
  ) throws(CheckpointError) -> [String: Tensor] {
    let present = optional.filter { $0.contains { tensors[$0.name] != nil } }
    var missing: [String] = []
    var unusable: [String] = []
    var rest = tensors
    var found: [String: Tensor] = [:]
    for specification in required + present.joined() {
      let name = specification.name
      guard let tensor = rest.removeValue(forKey: name) else {
        missing.append("\(name) \(specification.shape)")
        continue
      }
      found[name] = tensor
      if tensor.shape != specification.shape {
        unusable.append("\(name) is \(tensor.shape), must be \(specification.shape)")
      } else if !tensor.elementType.isFloat {
        unusable.append("\(name) is \(tensor.elementType.rawValue), must be F32, F16, BF16 or F64")
      }
    }
    guard missing.isEmpty, unusable.isEmpty, rest.isEmpty else {
      throw .tensors(
        path: path, missing: missing, unusable: unusable, unexpected: rest.keys.sorted())
    }
    return found
  }
}
