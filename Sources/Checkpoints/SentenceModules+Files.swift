import EncoderContract
import JSON

extension SentenceModules {
  /// Where a folder has the encoder's files: in its root, or where `modules.json` says.
  public static func encoderFolder(of folder: String) throws(CheckpointError) -> String {
    guard Folder.hasFile("modules.json", in: folder) else { return folder }
    guard let first = try JSONFile.array(path: Folder.path("modules.json", in: folder)).first else {
      return folder
    }
    let path = try modulePath(first)
    return path.isEmpty ? folder : Folder.path(path, in: folder)
  }

  private static func modulePath(_ module: JSONFile) throws(CheckpointError) -> String {
    let path = try module.string("path") ?? ""
    guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
      throw module.invalid("path", "must stay inside the folder")
    }
    return path
  }

  /// Reads `modules.json` and the files that it names.
  ///
  /// - Returns: nil if the folder has no modules.
  /// - Throws: if a file is malformed, named and missing, or asks for what is not computed.
  public static func read(folder: String) throws(CheckpointError) -> SentenceModules? {
    guard Folder.hasFile("modules.json", in: folder) else {
      if let result = try TokenVectors.readStanford(folder: folder) { return result }
      return try withoutList(folder)
    }
    let path = Folder.path("modules.json", in: folder)
    let list = try JSONFile.array(path: path)
    if let result = try multiVector(list, folder) { return result }
    var result: SentenceModules?
    for (index, module) in list.enumerated() {
      let type = try module.string("type") ?? ""
      let moduleFolder = Folder.path(try modulePath(module), in: folder)
      // Releases differ in what stands between the library's name and the class's.
      switch type.hasPrefix("sentence_transformers.") ? type.split(separator: ".").last : nil {
      case "Transformer" where index == 0, "MLMTransformer" where index == 0: break
      case "SpladePooling" where index == 1 && list.count == 2:
        result = SentenceModules(sparse: try SparsePooling(folder: moduleFolder))
      case "Pooling" where index == 1: result = try pooling(moduleFolder)
      case "Dense" where result != nil:
        result?.layers.append(.dense(try DenseLayer(folder: moduleFolder)))
      case "LayerNorm" where result != nil:
        result?.layers.append(.layerNorm(try LayerNorm(folder: moduleFolder)))
      // It does nothing but in training.
      case "Dropout" where result != nil: break
      case "Normalize" where result != nil:
        if let file = try configuration(moduleFolder) { try file.check(.normalize) }
        result?.layers.append(.normalize)
      default:
        throw .unsupported(
          path: path,
          reason:
            "module \(index), \"\(type.prefix(128))\"\(purpose(type)), is not supported at this "
            + "place; after Transformer and Pooling there may be Dense, LayerNorm, Normalize and "
            + "Dropout. " + encoderAlone)
      }
    }
    let usesOldClass = try list.first?.string("type")?.hasSuffix(".MLMTransformer") ?? false
    guard !usesOldClass || result?.sparse != nil else {
      throw .unsupported(
        path: path, reason: "has an MLMTransformer without SpladePooling. " + encoderAlone)
    }
    guard var result else {
      throw .unsupported(path: path, reason: "has no Pooling module. " + encoderAlone)
    }
    try result.readSettings(folder, encoderFolder: encoderFolder(of: folder))
    try result.readM3(folder)
    return result
  }

  /// Of a `MultiVectorEncoder`; nil if the modules are not those of one.
  private static func multiVector(
    _ list: [JSONFile], _ folder: String
  ) throws(CheckpointError) -> SentenceModules? {
    guard let first = try list.first?.string("type"), first.hasSuffix(".Transformer"),
      Folder.hasFile(settingsName, in: folder)
    else { return nil }
    var modules: [(name: Substring, folder: String)] = []
    for module in list.dropFirst() {
      let type = try module.string("type") ?? ""
      modules.append(
        (
          type.split(separator: ".").last ?? "",
          Folder.path(try modulePath(module), in: folder)
        ))
    }
    let encoderFolder = try encoderFolder(of: folder)
    guard
      let vectors = try TokenVectors.read(
        modules, settings: JSONFile(path: Folder.path(settingsName, in: folder)),
        transformer: transformerFile(encoderFolder))
    else { return nil }
    if try TokenVectors.isStanford(encoderFolder) {
      throw .unsupported(
        path: Folder.path("config.json", in: encoderFolder),
        reason:
          "names HF_ColBERT in architectures, and there is a modules.json, which reads such a "
          + "folder otherwise: take one of them out")
    }
    var result = SentenceModules(tokenVectors: vectors)
    try result.readSettings(folder, encoderFolder: encoderFolder)
    return result
  }

  private static let settingsName = "config_sentence_transformers.json"

  /// What a module does that is known and not supported.
  private static func purpose(_ type: String) -> String {
    switch type.split(separator: ".").last {
    case "WordWeights": ", which weights each token before the pooling"
    case "WeightedLayerPooling": ", which mixes the blocks' outputs"
    case "CNN", "LSTM": ", a second network over the tokens"
    case "WordEmbeddings", "StaticEmbedding", "BoW": ", which stands in for an encoder"
    case "Router", "Asym":
      ", which has a model for each kind of text: give the folder of one of them"
    default: ""
    }
  }

  /// What to do with a folder whose modules are refused.
  static let encoderAlone =
    "To serve the encoder alone, without sentence_embedding, take modules.json out of the folder"

  /// A folder that lost its `modules.json`: sentence-transformers takes the mean then.
  private static func withoutList(_ folder: String) throws(CheckpointError) -> SentenceModules? {
    let moduleFolder = Folder.path("1_Pooling", in: folder)
    guard Folder.hasFile("config.json", in: moduleFolder) else { return nil }
    let result = try pooling(moduleFolder)
    guard result.poolings == [.mean] else {
      throw .unsupported(
        path: Folder.path("config.json", in: moduleFolder),
        reason: "asks for \(result.poolings.map(\.rawValue).joined(separator: " + ")), and there "
          + "is no modules.json, without which sentence-transformers takes the mean: add "
          + "modules.json, or take 1_Pooling out")
    }
    return result
  }

  /// Older releases write no `config.json` for modules that need none.
  private static func configuration(_ folder: String) throws(CheckpointError) -> JSONFile? {
    guard Folder.hasFile("config.json", in: folder) else { return nil }
    return try JSONFile(path: Folder.path("config.json", in: folder))
  }

  private static func pooling(_ folder: String) throws(CheckpointError) -> SentenceModules {
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    try file.check(.pooling)
    var names: [String] = []
    switch file["pooling_mode"] {
    case .null:
      // Releases before 6 write one flag per way; with none set they take the mean.
      let flags: KeyValuePairs<String, Pooling> = [
        "pooling_mode_cls_token": .cls, "pooling_mode_max_tokens": .max,
        "pooling_mode_mean_tokens": .mean, "pooling_mode_mean_sqrt_len_tokens": .meanSqrtLength,
        "pooling_mode_weightedmean_tokens": .weightedMean, "pooling_mode_lasttoken": .lastToken,
      ]
      for (flag, pooling) in flags where try file.boolean(flag) == true {
        names.append(pooling.rawValue)
      }
      if names.isEmpty { names = [Pooling.mean.rawValue] }
    case .array(let values):
      for value in values {
        guard case .string(let name) = value else {
          throw file.invalid("pooling_mode", "must hold names")
        }
        names.append(name)
      }
    default:
      names = [try file.string("pooling_mode") ?? ""]
    }
    let poolings = names.compactMap(Pooling.init(rawValue:))
    guard let first = poolings.first, poolings.count == names.count, poolings.count <= 16 else {
      throw .unsupported(
        path: file.path,
        reason: "pooling_mode \(names.joined(separator: " + ").prefix(128)) is not supported; "
          + Pooling.allCases.map(\.rawValue).joined(separator: ", ") + " are")
    }
    var result = SentenceModules(pooling: first)
    result.poolings = poolings
    result.poolsPrompt = try file.boolean("include_prompt") ?? true
    return result
  }

  private mutating func readSettings(
    _ folder: String, encoderFolder: String
  ) throws(CheckpointError) {
    if let file = try Self.transformerFile(encoderFolder) {
      try file.check(
        tokenVectors != nil
          ? .multiVectorTransformer : sparse == nil ? .transformer : .maskedLMTransformer)
      maximumSequenceLength = try file.integer("max_seq_length", in: 1...(1 << 20))
      lowercases = try file.boolean("do_lower_case") ?? false
    }
    guard Folder.hasFile(Self.settingsName, in: folder) else { return }
    let file = try JSONFile(path: Folder.path(Self.settingsName, in: folder))
    try file.check(
      tokenVectors != nil
        ? .multiVectorEncoder : sparse == nil ? .sentenceTransformers : .sparseEncoder)
    if !poolings.isEmpty { truncatedSize = try file.integer("truncate_dim", in: 1...(1 << 20)) }
    switch file["prompts"] {
    case .null: break
    case .object(let values):
      for (name, value) in values {
        switch value {
        case .string(let text): prompts[name.string] = text
        case .null: prompts[name.string] = ""
        default: throw file.invalid("prompts", "must hold texts")
        }
      }
    default: throw file.invalid("prompts", "must be an object of texts")
    }
    // PyLate's prefix comes before the prompt.
    for (key, name) in [("query_prefix", "query"), ("document_prefix", "document")]
    where tokenVectors != nil {
      guard let prefix = try file.string(key) else { continue }
      let prompt = prompts[name] ?? ""
      prompts[name] = prompt.hasPrefix(prefix) ? prompt : prefix + prompt
    }
    // Texts of a MultiVectorEncoder are queries or documents, which have prompts of their own.
    if tokenVectors != nil { return }
    guard let name = try file.string("default_prompt_name") else { return }
    // The library has these two, empty, before the folder names its own.
    guard prompts[name] != nil || ["query", "document"].contains(name) else {
      throw file.invalid("default_prompt_name", "must be the name of one of the prompts")
    }
    defaultPromptName = name
    guard poolsPrompt || defaultPrompt == nil else {
      throw .unsupported(
        path: file.path,
        reason: "default_prompt_name with a Pooling whose include_prompt is false is not "
          + "supported: the prompt's tokens would have to be left out of the pooling. Set it to "
          + "null to serve texts without it")
    }
  }

  /// The first of these names counts whose file says something.
  private static func transformerFile(_ folder: String) throws(CheckpointError) -> JSONFile? {
    for name in ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"] {
      let name = "sentence_\(name)_config.json"
      guard Folder.hasFile(name, in: folder) else { continue }
      let file = try JSONFile(path: Folder.path(name, in: folder))
      if !file.keys.isEmpty { return file }
    }
    return nil
  }
}

extension SparsePooling {
  init(folder: String) throws(CheckpointError) {
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    try file.check(.spladePooling)
    self.init()
    if let name = try file.string("pooling_strategy") {
      guard let strategy = Strategy(rawValue: name) else {
        throw file.invalid("pooling_strategy", "must be max or sum")
      }
      self.strategy = strategy
    }
    if let name = try file.string("activation_function") {
      guard let activation = Activation(rawValue: name) else {
        throw file.invalid("activation_function", "must be relu or log1p_relu")
      }
      self.activation = activation
    }
  }
}

extension DenseLayer {
  static func weightsFile(in folder: String) -> String {
    Folder.hasFile("model.safetensors", in: folder) ? "model.safetensors" : "pytorch_model.bin"
  }

  /// A matrix among an encoder's weights, without a bias.
  init(projection name: String, folder: String) throws(CheckpointError) {
    let tensors = try ModuleTensors(folder: folder)
    (outputs, inputs) = try tensors.matrixSizes(name)
    weights = try tensors.floats(name, [outputs, inputs])
    (bias, activation) = (Array(repeating: 0, count: outputs), .identity)
  }

  /// The state dictionary of a `torch.nn.Linear`.
  init(stateDictionary name: String, folder: String) throws(CheckpointError) {
    let tensors = try ModuleTensors(file: Folder.path(name, in: folder))
    (outputs, inputs) = try tensors.matrixSizes("weight")
    weights = try tensors.floats("weight", [outputs, inputs])
    (bias, activation) = (try tensors.floats("bias", [outputs]), .identity)
  }

  init(
    folder: String, keys: ConfigurationKeys = .dense
  ) throws(CheckpointError) {
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    try file.check(keys)
    let sizes = ModelConfiguration.Limits.vectorSize
    inputs = try file.requiredInteger("in_features", in: sizes)
    outputs = try file.requiredInteger("out_features", in: sizes)
    // Neither is above its limit: no overflow.
    guard inputs * outputs <= ModelConfiguration.Limits.denseWeights else {
      throw file.invalid(
        "out_features",
        "must be \(ModelConfiguration.Limits.denseWeights / inputs) or less with \(inputs) in_features"
      )
    }
    // "torch.nn.modules.activation.Tanh", and Tanh if it is not said.
    let function = try file.string("activation_function") ?? "torch.nn.Tanh"
    guard function.hasPrefix("torch.nn."),
      let activation = function.split(separator: ".").last.flatMap({
        Activation(rawValue: String($0))
      })
    else {
      throw .unsupported(
        path: file.path,
        reason: "the activation_function \(function.prefix(128)) is not supported; those of "
          + "torch.nn are: " + Activation.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self.activation = activation
    let tensors = try ModuleTensors(folder: folder)
    weights = try tensors.floats("linear.weight", [outputs, inputs])
    bias =
      try file.boolean("bias") ?? true
      ? tensors.floats("linear.bias", [outputs]) : Array(repeating: 0, count: outputs)
    if try file.boolean("use_residual") ?? false {
      residual =
        try inputs == outputs
        ? .input : .projected(tensors.floats("residual.weight", [outputs, inputs]))
    }
  }
}

extension SentenceModules.LayerNorm {
  init(folder: String) throws(CheckpointError) {
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    try file.check(.layerNorm)
    let size = try file.requiredInteger("dimension", in: ModelConfiguration.Limits.vectorSize)
    let tensors = try ModuleTensors(folder: folder)
    weights = try tensors.floats("norm.weight", [size])
    bias = try tensors.floats("norm.bias", [size])
  }
}

/// The weights of one module.
private struct ModuleTensors {
  private let path: String
  private let stored: [Tensor]

  init(folder: String) throws(CheckpointError) {
    path = Folder.path(DenseLayer.weightsFile(in: folder), in: folder)
    stored =
      try path.hasSuffix(".bin")
      ? PyTorchFile(path: path).tensors : SafetensorsFile(path: path).tensors
  }

  /// - Parameter file: that `torch.save` has written.
  init(file: String) throws(CheckpointError) {
    path = file
    stored = try PyTorchFile(path: file).tensors
  }

  func matrixSizes(_ name: String) throws(CheckpointError) -> (Int, Int) {
    let sizes = ModelConfiguration.Limits.vectorSize
    guard let shape = stored.first(where: { $0.name == name })?.shape, shape.count == 2,
      shape.allSatisfy(sizes.contains),
      shape[0] * shape[1] <= ModelConfiguration.Limits.denseWeights
    else {
      throw .tensors(
        path: path, missing: ["\(name) [outputs, inputs]"], unusable: [], unexpected: [])
    }
    return (shape[0], shape[1])
  }

  func floats(_ name: String, _ shape: [Int]) throws(CheckpointError) -> [Float] {
    guard let tensor = stored.first(where: { $0.name == name }), tensor.shape == shape,
      tensor.elementType.isFloat
    else {
      throw .tensors(path: path, missing: ["\(name) \(shape)"], unusable: [], unexpected: [])
    }
    return try tensor.floats()
  }
}
