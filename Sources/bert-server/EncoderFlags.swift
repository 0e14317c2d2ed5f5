import ArgumentParser
import BERT
import Checkpoints
import Models

/// Which model is computed with, and how: for commands without settings.
struct EncoderFlags: ParsableArguments {
  @Option(help: "Model folder.")
  var model = "models/all-MiniLM-L6-v2"

  @Option(help: "Number of compute threads, at most 1024; 0: as many as the process may use.")
  var threads = 0

  @Option(help: "Precision of matrix multiplication: float32, bfloat16, int8.", transform: chosen)
  var precision = Encoder.Precision.float32

  @Option(help: "Kernel set; auto: the preferred one for this CPU.")
  var kernels = "auto"

  func validate() throws {
    guard 0...1024 ~= threads else {
      throw ValidationError("--threads is 0 to 1024, not \(threads)")
    }
  }

  func load(_ files: ModelFiles, sentence: SentenceModules? = nil) throws -> Model {
    try Model(
      files, sentence: sentence, threads: threads, precision: precision,
      kernelSet: kernels == "auto" ? nil : kernels)
  }
}
