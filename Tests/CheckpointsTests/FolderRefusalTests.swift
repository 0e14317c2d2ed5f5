import Testing

@testable import Checkpoints

/// Folders that hold no weights that are read: the message says what they are.
struct FolderRefusalTests {
  @Test(arguments: [
    ("model.gguf", "GGUF"), ("onnx/model.onnx", "ONNX"), ("model_quantized.onnx", "ONNX"),
    ("openvino_model.xml", "OpenVINO"), ("model.ckpt-1000.index", "rename model.ckpt-1000.*"),
    ("snapshots/5fe3/config.json", "snapshots/5fe3"), ("tf_model.h5", "HDF5"),
    ("flax_model.msgpack", "Flax"), ("0_Transformer/pytorch_model.bin", "folder 0_Transformer"),
    ("notes.txt", "has none of"),
  ])
  func formats(_ file: String, _ named: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("{}", to: file)
    let error = try #require(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
    #expect(error.message.contains(named), "\(error)")
  }

  @Test func adapters() throws {
    let folder = try TemporaryFolder()
    try folder.write(#"{"base_model_name_or_path": "base/model"}"#, to: "adapter_config.json")
    let error = try #require(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
    #expect(error.message.contains("adapter of base/model"))
  }

  @Test func pointersOfGitLFS() throws {
    let folder = try TemporaryFolder()
    try folder.write("{}", to: "config.json")
    try folder.write(
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n",
      to: "model.safetensors")
    let error = try #require(throws: CheckpointError.self) {
      try SafetensorsFile(path: folder.path + "/model.safetensors")
    }
    #expect(error.message.contains("git lfs pull"))
  }

  @Test func missingFolders() throws {
    let error = try #require(throws: CheckpointError.self) { try Checkpoint(folder: "/no/such") }
    #expect(error.message.contains("no such folder"))
  }
}
