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
  /// - Throws: if a file is malformed, or named and missing.
  public static func read(folder: String) throws(CheckpointError) -> Support {
    guard Folder.hasFile("modules.json", in: folder) else { return .absent }
    let list = try JSONFile.array(path: Folder.path("modules.json", in: folder))
    var result: SentenceModules?
    for (index, module) in list.enumerated() {
      let type = try module.string("type") ?? ""
      let moduleFolder = Folder.path(try modulePath(module), in: folder)
      var reason: String?
      // Releases differ in what stands between the library's name and the class's.
      switch type.hasPrefix("sentence_transformers.") ? type.split(separator: ".").last : nil {
      case "Transformer" where index == 0: break
      case "Pooling" where index == 1:
        result = SentenceModules(pooling: .mean)
        reason = try result?.readPooling(moduleFolder)
      case "Dense" where result?.normalizes == false:
        reason = try result?.readDense(moduleFolder)
      // It does nothing but in training.
      case "Dropout" where result != nil: break
      case "Normalize" where result != nil:
        result?.normalizes = true
        reason = try takesSomethingElse(moduleFolder)
      default:
        reason = "is not supported at this place"
      }
      if let reason {
        return .unsupported(reason: "modules.json: module \(index), \"\(type)\": \(reason)")
      }
    }
    guard var result else { return .unsupported(reason: "modules.json: has no Pooling module") }
    try result.readSettings(folder, encoderFolder: encoderFolder(of: folder))
    return .supported(result)
  }

  /// - Returns: why the pooling is not supported; nil if it is.
  private mutating func readPooling(_ folder: String) throws(CheckpointError) -> String? {
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    poolsPrompt = try file.boolean("include_prompt") ?? true
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
      for case .string(let name) in values { names.append(name) }
    default:
      names = [try file.string("pooling_mode") ?? ""]
    }
    guard names.count == 1, let pooling = Pooling(rawValue: names[0]) else {
      return "pooling \(names.joined(separator: " + ")) is not supported"
    }
    self.pooling = pooling
    return nil
  }

  /// - Returns: why the layer is not supported; nil if it is.
  private mutating func readDense(_ folder: String) throws(CheckpointError) -> String? {
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    if let reason = try Self.takesSomethingElse(folder) { return reason }
    let inputs = try file.requiredInteger("in_features", in: ModelConfiguration.Limits.hiddenSize)
    let outputs = try file.requiredInteger("out_features", in: ModelConfiguration.Limits.hiddenSize)
    // "torch.nn.modules.activation.Tanh", and Tanh if it is not said.
    let function = try file.string("activation_function") ?? "Tanh"
    guard function == "Tanh" || function.hasPrefix("torch.nn."),
      let activation = function.split(separator: ".").last.flatMap({
        Dense.Activation(rawValue: String($0))
      })
    else { return "the activation \(function) is not supported; Identity, Tanh and ReLU are" }

    let hasSafetensors = Folder.hasFile("model.safetensors", in: folder)
    let path = Folder.path(hasSafetensors ? "model.safetensors" : "pytorch_model.bin", in: folder)
    let stored =
      try hasSafetensors ? SafetensorsFile(path: path).tensors : PyTorchFile(path: path).tensors
    func floats(_ name: String, _ shape: [Int]) throws(CheckpointError) -> [Float] {
      guard let tensor = stored.first(where: { $0.name == name }), tensor.shape == shape,
        tensor.elementType.isFloat
      else {
        throw .tensors(path: path, missing: ["\(name) \(shape)"], unusable: [], unexpected: [])
      }
      return try tensor.floats()
    }
    dense.append(
      Dense(
        inputs: inputs, outputs: outputs,
        weights: try floats("linear.weight", [outputs, inputs]),
        bias: try file.boolean("bias") ?? true
          ? floats("linear.bias", [outputs]) : Array(repeating: 0, count: outputs),
        activation: activation))
    return nil
  }

  /// Older releases write no file for `Normalize`, and no such keys for either.
  private static func takesSomethingElse(
    _ folder: String
  ) throws(CheckpointError) -> String? {
    guard Folder.hasFile("config.json", in: folder) else { return nil }
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    for key in ["module_input_name", "module_output_name"] {
      let name = try file.string(key) ?? "sentence_embedding"
      if name != "sentence_embedding" { return "\(key) \"\(name)\" is not supported" }
    }
    return nil
  }

  private mutating func readSettings(
    _ folder: String, encoderFolder: String
  ) throws(CheckpointError) {
    if Folder.hasFile("sentence_bert_config.json", in: encoderFolder) {
      let file = try JSONFile(path: Folder.path("sentence_bert_config.json", in: encoderFolder))
      maximumSequenceLength = try file.integer("max_seq_length", in: 1...(1 << 20))
      lowercases = try file.boolean("do_lower_case") ?? false
    }
    if Folder.hasFile("config_sentence_transformers.json", in: folder) {
      let file = try JSONFile(path: Folder.path("config_sentence_transformers.json", in: folder))
      defaultPromptName = try file.string("default_prompt_name")
      if case .object(let values) = file["prompts"] {
        for case (let name, .string(let text)) in values { prompts[name] = text }
      }
    }
  }
}
