import JSON

/// A folder as `save_pretrained` of transformers writes it: `config.json`, and the weights as
/// safetensors or as PyTorch's own file, whole or in shards with an index.
struct HuggingFaceFolder {
  let configuration: ModelConfiguration
  /// By canonical name.
  let tensors: [String: Tensor]
  let head: HeadFinding<ClassificationHead>
  let maskedLM: HeadFinding<MaskedLMHead>
  let files: [String]

  /// In the order in which transformers looks for them.
  static let weightFiles = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json",
  ]

  static func isPresent(in folder: String) -> Bool {
    weightFiles.contains { Folder.hasFile($0, in: folder) }
  }

  init(_ folder: String, verifiesChecksums: Bool = true) throws(CheckpointError) {
    let file = try JSONFile(path: Folder.path("config.json", in: folder))
    let family = try HuggingFaceFamily.named(in: file)
    var configuration = try ModelConfiguration.huggingFace(file)
    let weights = Self.weightFiles.first { Folder.hasFile($0, in: folder) } ?? Self.weightFiles[0]
    let path = Folder.path(weights, in: folder)
    let stored: [Tensor]
    if weights.hasSuffix(".json") {
      (stored, files) = try Self.shards(of: path, in: folder, verifiesChecksums)
    } else {
      stored = try Self.tensors(of: path, verifiesChecksums)
      files = ["config.json", weights]
    }

    // In a class with a head, the encoder's tensors have a prefix.
    let found = family.prefixes.first { prefix in stored.contains { $0.name.hasPrefix(prefix) } }
    let (prefix, hasPrefix) = (found ?? "", found != nil)
    var tensors: [String: Tensor] = [:]
    var origins: [String: String] = [:]
    var twice: [String] = []
    var unexpected: [String] = []
    for tensor in stored where tensor.name.hasPrefix(prefix) {
      let ownName = String(tensor.name.dropFirst(prefix.count))
      let names = family.canonicalNames(ownName).filter(Self.isEncoders)
      if names.isEmpty, family.blockPrefixes.contains(where: { ownName.hasPrefix($0.0) }) {
        unexpected.append(tensor.name)
      }
      guard names.count < 2 || tensor.shape.first.map({ $0 % names.count == 0 }) ?? false else {
        throw .unsupported(
          path: path,
          reason: "\(tensor.name) \(tensor.shape) must hold \(names.count) layers of one size")
      }
      for (index, name) in names.enumerated() {
        if let other = origins[name] { twice.append("\(other) and \(tensor.name)") }
        origins[name] = tensor.name
        let count = (tensor.shape.first ?? 0) / names.count
        let isOfHeads =
          family.interleavesHeads && count == configuration.hiddenSize
          && names.elementsEqual(TensorNames.Block.queryKeyValue) { $0.contains(".\($1).") }
        var part: Tensor? = tensor
        if isOfHeads {
          part = tensor.rows(configuration.fusedRows(index))
        } else if names.count > 1 {
          part = tensor.rows(index * count..<(index + 1) * count)
        }
        part?.name = name
        guard let part else {
          throw Self.storedByColumns(tensor.name, path)
        }
        tensors[name] = part
      }
    }
    guard twice.isEmpty else {
      throw .unsupported(
        path: path, reason: "two tensors have one meaning: \(twice.joined(separator: ", "))")
    }
    if !configuration.hasTypeTable, let name = origins[TensorNames.tables[2]] {
      unexpected.append(name)
    }
    guard unexpected.isEmpty else {
      throw .tensors(path: path, missing: [], unusable: [], unexpected: unexpected.sorted())
    }
    family.configureFromTensors(&configuration) { tensors[$0] != nil }
    self.configuration = configuration
    family.adapt(&tensors, configuration)
    // Heads that share keys and values get copies of rows.
    if configuration.keyValueHeadCount < configuration.headCount {
      let shared = TensorNames.Block.queryKeyValue.dropFirst()
      for (name, tensor) in tensors.sorted(by: { $0.key < $1.key })
      where tensor.isTransposed && shared.contains(where: { name.contains($0) }) {
        throw Self.storedByColumns(tensor.name, path)
      }
    }
    self.tensors = tensors
    let others = stored.filter { !hasPrefix || !$0.name.hasPrefix(prefix) }
    head = try ClassificationHead.find(
      file, family, others, configuration, hasPooler: tensors["pooler.dense.weight"] != nil)
    maskedLM = try MaskedLMHead.find(file, family, others, configuration)
  }

  private static func storedByColumns(_ name: String, _ path: String) -> CheckpointError {
    .unsupported(
      path: path, reason: "\(name) is stored by columns; save it contiguous, or as safetensors")
  }

  /// Whether a tensor is the encoder's, by its canonical name: a head beside it is not.
  private static func isEncoders(_ name: String) -> Bool {
    ["embeddings.", "\(TensorNames.projection).", "encoder.", "pooler."]
      .contains { name.hasPrefix($0) }
  }

  private static func tensors(
    of path: String, _ verifiesChecksums: Bool
  ) throws(CheckpointError) -> [Tensor] {
    if path.hasSuffix(".safetensors") { return try SafetensorsFile(path: path).tensors }
    return try PyTorchFile(path: path, verifiesChecksums: verifiesChecksums).tensors
  }

  /// The tensors of all files that an index names, each in the file that it names for it.
  private static func shards(
    of path: String, in folder: String, _ verifiesChecksums: Bool
  ) throws(CheckpointError) -> ([Tensor], files: [String]) {
    let index = try JSONFile(path: path)
    guard case .object(let map) = index["weight_map"], !map.isEmpty else {
      throw index.invalid("weight_map", "must name a file for each tensor")
    }
    var missing: [String: String] = [:]
    for (name, value) in map {
      guard case .string(let file) = value, file.utf8.count <= 255,
        !file.utf8.contains(UInt8(ascii: "/")), file != "..",
        file.hasSuffix(".safetensors") || file.hasSuffix(".bin")
      else { throw index.invalid("weight_map", "must name a file of this folder for \"\(name)\"") }
      missing[name.string] = file
    }
    let files = Set(missing.values).sorted()
    var tensors: [Tensor] = []
    for file in files {
      let shard = Folder.path(file, in: folder)
      for tensor in try Self.tensors(of: shard, verifiesChecksums) {
        // What the index does not name, or has elsewhere, is not the model's.
        guard missing[tensor.name] == file else { continue }
        missing[tensor.name] = nil
        tensors.append(tensor)
      }
    }
    guard missing.isEmpty else {
      throw .tensors(
        path: path, missing: missing.map { "\($0.key) in \($0.value)" }.sorted(), unusable: [],
        unexpected: [])
    }
    return (tensors, ["config.json"] + files)
  }
}
