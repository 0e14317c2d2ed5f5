import BERT
import Batching
import CPlatform
import Checkpoints
import Dispatch
import EncoderContract
import Encoding
import HTTP
import Hosting
import Models
import Serving
import Settings
import Tokenizers

/// Makes model folders ready to serve.
enum ModelLoader {
  /// Maps and packs the weights, reads the tokenizers, and runs a warm-up pass of each model. All
  /// models share the compute threads and the queue before them, and leave the budget to requests.
  static func load(
    _ folders: [ModelFolder], _ settings: Settings, threads: ThreadCount, _ budget: MemoryBudget
  ) throws -> [ServedModel] {
    let nodes = NUMANodes(threadCount: threads.count)
    let computeThreads = try ComputeThreads(on: nodes)
    // A folder that is served under two names is loaded once.
    let names = folders
    let (folders, indices) = ModelNames.distinct(names)
    let files = try folders.map { folder in
      try of(folder) { try ModelFiles(folder.path, lowercases: settings.letterCase.lowercases) }
    }
    let pooling = settings.pooling.pooling
    let sparse = settings.pooling.sparse
    let sentences = try files.indices.map { index in
      try of(folders[index]) {
        try files[index].checkSparse(setting: sparse)
        return SentenceModules(files[index].sentenceModules, pooling: pooling, sparse: sparse)
      }
    }
    // A batch has to hold the longest text there may be.
    let batchTokens = files.map(\.checkpoint.configuration.positionCount)
      .reduce(settings.maxBatchTokens, max)
    // A limit that is too small ends the start, with a word, and not the process under load.
    let plan = MemoryPlan(settings)
    var memory = plan.models
    let encoders = try folders.indices.map { index in
      try of(folders[index]) {
        let encoder = try Encoder(
          files[index].checkpoint, sentence: sentences[index], threads: computeThreads,
          precision: Encoder.Precision(settings.precision),
          kernelSet: settings.kernels == "auto" ? nil : settings.kernels,
          maxBatchRows: batchTokens, memoryLimit: memory)
        memory -= encoder.memoryBytes
        return encoder
      }
    }
    budget.limit = plan.budget(besides: encoders.reduce(0) { $0 + $1.memoryBytes })
    let queue = BatchQueue(
      encoders: encoders,
      limits: BatchLimits(
        maxBatchTokens: batchTokens, maxQueueTokens: max(settings.maxQueueTokens, batchTokens),
        maxWait: settings.batchMaxWait))
    let models = try folders.indices.map { index in
      try of(folders[index]) {
        let model = try serve(
          folders[index].name, files[index], sentences[index], encoders[index], index, queue,
          settings,
          facts: [
            ("precision", settings.precision.rawValue), ("kernels", encoders[index].kernelSet),
            ("threads", String(threads.count)), ("threads_because", threads.reason),
          ] + (nodes.count > 1 ? [("numa_nodes", "\(nodes.count), each with the weights")] : []))
        try warmUp(model)
        return model
      }
    }
    return ModelNames.named(models, indices, as: names, settings.servedModelNames)
  }

  private static func serve(
    _ name: String, _ files: ModelFiles, _ sentence: SentenceModules?, _ encoder: Encoder,
    _ index: Int, _ queue: BatchQueue,
    _ settings: Settings, facts: [(name: String, value: String)]
  ) throws -> ServedModel {
    guard settings.maxTokens <= encoder.info.positionCount else {
      throw LoadingError(
        "max_tokens is \(settings.maxTokens) and the model has \(encoder.info.positionCount) "
          + "positions")
    }
    let tokenizer = try files.tokenizer(TokenizerRules(settings.tokenizerRules))
    let maxTokens = settings.maxTokens > 0 ? settings.maxTokens : nil
    var model = ServedModel(
      name: name, info: encoder.info,
      sentence: sentence.map {
        ServedModel.Sentence(
          pooling: $0.poolingName,
          normalizes: $0.normalizes, prompts: $0.prompts, poolsPrompt: $0.poolsPrompt,
          defaultPrompt: $0.defaultPrompt)
      },
      defaultMaxTokens: maxTokens ?? files.maxTokens,
      tokenizer: tokenizer, queue: queue,
      encoder: index,
      facts: facts + (files.checkpoint.part.map { [("part_of_model", $0)] } ?? []))
    model.padsRows = files.padsRows
    model.colbertInputs = try files.colbertInputs(tokenizer, sentence, maxTokens: maxTokens)
    model.unweightedTokens = files.unweightedTokens(tokenizer, sentence)
    model.maskID = tokenizer.vocabulary.addedID(of: files.maskToken)
    model.notes = files.notes(tokenizer)
    return model
  }

  /// Says of which folder a failure is.
  private static func of<T>(_ folder: ModelFolder, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch {
      throw LoadingError("\(folder.path) cannot be served: \(error)")
    }
  }

  /// One pass through every block: page faults, lazy tables and broken weights come to light here
  /// and not in the first request.
  private static func warmUp(_ model: ServedModel) throws {
    let entries = model.info.keys.filter { $0 != .sequenceOutput && $0 != .encoderOutputs }
    let selection = OutputSelection(entries, blocks: BlockSet([model.info.blockCount - 1]))
    let text = try model.tokenizer.tokenize(
      .single("warm up"), maxTokens: model.defaultMaxTokens)
    let isDone = DispatchSemaphore(value: 0)
    let outcome = Outcome<Result<[EncodedResult], BatchingError>>()
    _ = try model.queue.encode(
      [BatchItem(text.sequence, for: selection)], to: model.encoder
    ) { result in
      outcome.value = result
      isDone.signal()
    }
    isDone.wait()
    _ = try outcome.value?.get()
  }
}

extension TokenizerRules {
  /// Nil: the folder decides.
  fileprivate init?(_ setting: TokenizerRulesChoice) {
    switch setting {
    case .auto: return nil
    case .huggingFace: self = .huggingFace
    case .tensorFlow: self = .tensorFlow
    }
  }
}

extension Encoder.Precision {
  init(_ setting: Precision) {
    switch setting {
    case .float32: self = .float32
    case .bfloat16: self = .bfloat16
    case .int8: self = .int8
    }
  }
}

/// A value that one thread leaves for another.
///
/// `@unchecked Sendable`: `value` is written once, before the semaphore that the reader waits for is signalled.
private final class Outcome<Value>: @unchecked Sendable {
  var value: Value?
}
