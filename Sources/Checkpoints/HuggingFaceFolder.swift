/// A folder as `save_pretrained` of transformers writes it: `config.json`, `model.safetensors`.
struct HuggingFaceFolder {
  let configuration: ModelConfiguration
  /// By canonical name.
  let tensors: [String: Tensor]

  let files = ["config.json", "model.safetensors"]

  static func isPresent(in folder: String) -> Bool {
    Folder.hasFile("model.safetensors", in: folder)
  }

  init(_ folder: String) throws(CheckpointError) {
    configuration = try .huggingFace(JSONFile(path: Folder.path("config.json", in: folder)))
    let path = Folder.path("model.safetensors", in: folder)
    var tensors: [String: Tensor] = [:]
    var twice: [String] = []
    for tensor in try SafetensorsFile(path: path).tensors {
      guard let name = Self.canonicalName(tensor.name) else { continue }
      if tensors.updateValue(tensor, forKey: name) != nil { twice.append(tensor.name) }
    }
    guard twice.isEmpty else {
      throw .unsupported(
        path: path, reason: "two tensors have one meaning: \(twice.joined(separator: ", "))")
    }
    self.tensors = tensors
  }

  /// The name without `bert.`, and without the spellings of the first TensorFlow conversions; nil
  /// for what is no weight of the encoder: buffers, and the heads of `BertFor…`.
  static func canonicalName(_ name: String) -> String? {
    let heads = ["cls.", "classifier.", "qa_outputs."]
    let buffers = ["embeddings.position_ids", "embeddings.token_type_ids"]
    if heads.contains(where: name.hasPrefix) { return nil }
    var name = name
    if name.hasPrefix("bert.") { name.removeFirst("bert.".count) }
    if buffers.contains(name) { return nil }
    for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] where name.hasSuffix(old) {
      name = name.dropLast(old.count) + new
    }
    return name
  }
}
