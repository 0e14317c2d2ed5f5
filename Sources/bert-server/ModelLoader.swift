import BERT
import Batching
import Checkpoints
import Dispatch
import OutputMap
import Service
import Settings
import WordPiece

/// Makes a model folder ready to serve.
enum ModelLoader {
  /// Maps and packs the weights, reads the tokenizer, and runs one warm-up pass.
  static func load(
    _ folder: ModelFolder, _ settings: Settings, threads: ThreadCount
  ) throws -> ServedModel {
    let files = try ModelFiles(folder.path)
    let configuration = files.checkpoint.configuration
    let positions = configuration.positionCount
    guard settings.maxTokens <= positions else {
      throw LoadingError(
        "max_tokens is \(settings.maxTokens) and \(folder.path) has \(positions) positions")
    }
    let tokenizer = try files.tokenizer()
    // A batch has to hold the longest text there may be.
    let batchTokens = max(settings.maxBatchTokens, positions)
    let encoder = try Encoder(
      files.checkpoint, sentence: files.sentenceModules,
      lanes: ComputeLanes(count: threads.count),
      kernelSet: settings.kernels == "auto" ? nil : settings.kernels, maxBatchRows: batchTokens)
    let model = ServedModel(
      name: folder.name,
      shape: ServedModel.Shape(
        hiddenSize: configuration.hiddenSize, blockCount: configuration.blockCount,
        positionCount: positions, hasPooler: encoder.hasPooler,
        sentenceSize: encoder.hasSentence ? configuration.hiddenSize : nil),
      defaultMaxTokens: settings.maxTokens > 0 ? settings.maxTokens : files.maxTokens,
      tokenizer: tokenizer,
      queue: BatchQueue(
        encoder: encoder,
        limits: BatchLimits(
          maxBatchTokens: batchTokens,
          maxQueueTokens: max(settings.maxQueueTokens, batchTokens),
          maxWait: settings.batchMaxWait)),
      facts: [
        ("precision", settings.precision.rawValue), ("kernels", encoder.kernelSet),
        ("threads", String(threads.count)), ("threads_because", threads.reason),
      ])
    try warmUp(model)
    return model
  }

  /// One pass through every block: page faults, lazy tables and broken weights come to light here
  /// and not in the first request.
  private static func warmUp(_ model: ServedModel) throws {
    var selection = OutputSelection(pooled: model.shape.hasPooler)
    selection.blocks.insert(model.shape.blockCount - 1)
    let text = try model.tokenizer.tokenize(
      .single("warm up"), maxTokens: model.defaultMaxTokens)
    let isDone = DispatchSemaphore(value: 0)
    let outcome = Outcome<Result<[EncodedResult], BatchingError>>()
    _ = try model.queue.encode([BatchItem(text.sequence, for: selection)]) { result in
      outcome.value = result
      isDone.signal()
    }
    isDone.wait()
    _ = try outcome.value?.get()
  }
}

/// A value that one thread leaves for another.
///
/// `@unchecked Sendable`: written once, before the semaphore that the reader waits for is signalled.
private final class Outcome<Value>: @unchecked Sendable {
  var value: Value?
}
