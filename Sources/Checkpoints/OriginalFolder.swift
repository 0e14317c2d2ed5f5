/// A folder as the original BERT repository writes it: `bert_config.json`, `vocab.txt`,
/// `bert_model.ckpt.index` and `bert_model.ckpt.data-00000-of-00001`.
///
/// Source: https://github.com/google-research/bert
struct OriginalFolder {
  let configuration: ModelConfiguration
  /// By canonical name.
  let tensors: [String: Tensor]

  /// A guess; nil if the folder has no `vocab.txt`.
  let lowercases: Bool?

  static let files = ["bert_config.json", "bert_model.ckpt.index"]

  static func isPresent(in folder: String) -> Bool {
    Folder.hasFile("bert_model.ckpt.index", in: folder)
  }

  init(_ folder: String, verifiesChecksums: Bool = true) throws(CheckpointError) {
    let file = try JSONFile(path: Folder.path("bert_config.json", in: folder))
    try file.check(.originalModel)
    var configuration = try ModelConfiguration.huggingFace(file)
    // That code knows one GELU, the one with tanh.
    if configuration.activation == .geluErf { configuration.activation = .geluTanh }
    self.configuration = configuration

    let bundle = try TensorBundle(
      prefix: Folder.path("bert_model.ckpt", in: folder), verifiesChecksums: verifiesChecksums)
    var tensors: [String: Tensor] = [:]
    for entry in bundle.entries where entry.name.hasPrefix("bert/") {
      // An optimizer's slots have the variable's name and one of their own behind it.
      guard let variable = TensorFlowVariable(entry.name, shape: entry.shape) else { continue }
      let tensor = try bundle.tensor(
        entry, name: variable.name, shape: variable.shape, isTransposed: variable.isTransposed)
      tensors[variable.name] = tensor
    }
    self.tensors = tensors
    lowercases =
      Folder.hasFile("vocab.txt", in: folder)
      ? try VocabularyCase.isLower(Folder.path("vocab.txt", in: folder)) : nil
  }
}
