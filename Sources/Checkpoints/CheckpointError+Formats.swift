/// Folders that hold no weights that are read here: what they are, and what to give instead.
extension CheckpointError {
  /// transformers puts an adapter's weights onto another model's, which is not done here.
  static func refuseAdapter(_ folder: String) throws(CheckpointError) {
    guard Folder.hasFile("adapter_config.json", in: folder) else { return }
    let file = try JSONFile(path: Folder.path("adapter_config.json", in: folder))
    let base = try file.string("base_model_name_or_path").map { " of \($0.prefix(128))" } ?? ""
    throw .unsupported(
      path: folder,
      reason: "is an adapter\(base): give the whole model, which "
        + "PeftModel.merge_and_unload().save_pretrained(folder) of peft writes")
  }

  static func unknownFormat(_ folder: String) -> CheckpointError {
    guard Folder.isDirectory(folder) else {
      return .file(
        path: folder,
        reason: Folder.exists(folder)
          ? "is not a folder; a model is a folder of files" : "there is no such folder")
    }
    let entries = Folder.entries(folder)
    if entries.contains("snapshots") { return cache(folder) }
    if let name = entries.first(where: { $0.hasSuffix(".index") && !$0.hasPrefix("bert_model.") }) {
      let prefix = name.dropLast(".index".count)
      return .unsupported(
        path: folder,
        reason: "has a checkpoint \(prefix), and bert_model.ckpt is looked for: rename \(prefix).* "
          + "to bert_model.ckpt.*, beside bert_config.json and vocab.txt")
    }
    let known = HuggingFaceFolder.weightFiles + ["saved_model.pb", "bert_model.ckpt.index"]
    let others: [(isOne: (String) -> Bool, what: String)] = [
      ({ $0.hasSuffix(".gguf") }, "GGUF, llama.cpp's format"),
      ({ $0.hasSuffix(".onnx") || $0 == "onnx" }, "ONNX"),
      ({ $0.hasPrefix("openvino") }, "OpenVINO's format"),
      ({ $0 == "tf_model.h5" }, "Keras's HDF5"),
      ({ $0 == "flax_model.msgpack" }, "Flax's format"),
      ({ $0 == "tfhub_module.pb" }, "a TF Hub module of TensorFlow 1"),
    ]
    for other in others {
      guard let name = entries.first(where: other.isOne) else { continue }
      return .unsupported(
        path: folder,
        reason: "\(name): \(other.what) is not supported; give the model in its original form, "
          + "with one of \(known.joined(separator: ", "))")
    }
    if let name = entries.first(where: { HuggingFaceFolder.isPresent(in: "\(folder)/\($0)") }) {
      return .file(path: folder, reason: "has no weights, but its folder \(name) has: give that")
    }
    return .file(path: folder, reason: "has none of \(known.joined(separator: ", "))")
  }

  /// A model's folder in Hugging Face's cache, whose snapshots have the files.
  private static func cache(_ folder: String) -> CheckpointError {
    let snapshots = Folder.path("snapshots", in: folder)
    let names = Folder.entries(snapshots).map { "\(snapshots)/\($0)" }
    return .file(
      path: folder,
      reason: names.isEmpty
        ? "is a folder of Hugging Face's cache without a snapshot: fetch the model again"
        : "is a folder of Hugging Face's cache: give its snapshot "
          + names.prefix(4).joined(separator: " or "))
  }
}
