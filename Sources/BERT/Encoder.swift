public import Checkpoints
public import EncoderContract

/// A BERT model, ready to encode.
public final class Encoder: BatchEncoder {
  /// What the products multiply; sums, layer norms and softmax are float32 at every precision.
  public enum Precision: String, CaseIterable, Sendable {
    case float32
    /// Weights and inputs of products, queries, keys and values rounded to bfloat16.
    case bfloat16
    /// Weights in 8 bits with a scale an output, inputs of products in 8 bits with a scale a row, or with one for
    /// each 128 of both (kernel set avx2), summed exactly in int32; attention as in bfloat16.
    case int8
  }

  public let configuration: ModelConfiguration
  public let precision: Precision
  /// Instruction set of the kernels: one of `availableKernelSets`.
  public let kernelSet: String
  /// Bytes of packed weights and embedding tables.
  public let weightBytes: Int
  /// Most bytes that weights and passes take.
  public let memoryBytes: Int
  /// Rows of the largest batch that a pass takes.
  public let maxBatchRows: Int

  /// What its output map holds.
  public let info: ModelInfo

  let threads: ComputeThreads
  let kernels: Kernels
  /// One per node of the threads.
  let weights: [ModelWeights]
  private let maskedLM: MaskedLMWeights?
  private let shape: ModelShape
  private let limits: RowLimits
  /// One per thread.
  private let workspaces: [Workspace]

  /// Packs a model's weights, with all threads, which must be idle.
  ///
  /// - Parameters:
  ///   - checkpoint: the model's folder, opened.
  ///   - sentence: how `sentence_embedding` is made; nil if the model has none.
  ///   - threads: may serve several encoders.
  ///   - precision: of the products.
  ///   - kernelSet: one of `availableKernelSets`, or nil for the first.
  ///   - maxBatchRows: tokens of the largest batch; memory is reserved for it, and used as needed.
  ///   - memoryLimit: bytes that weights and passes may take; over it nothing is packed.
  public init(
    _ checkpoint: Checkpoint, sentence: SentenceModules? = nil, threads: ComputeThreads,
    precision: Precision = .float32, kernelSet: String? = nil, maxBatchRows: Int = 16_384,
    memoryLimit: Int = .max
  ) throws(BERTError) {
    let kernels = try Kernels.named(kernelSet, precision)
    self.kernels = kernels
    self.precision = precision
    self.kernelSet = kernels.name
    self.threads = threads
    self.maxBatchRows = maxBatchRows
    let configuration = checkpoint.configuration
    self.configuration = configuration
    limits = RowLimits(
      configuration, kernels: kernels, threadCount: threads.count, maxBatchRows: maxBatchRows)
    // Before the weights: they are large, and untouched memory costs nothing.
    var workspaces: [Workspace] = []
    for _ in 0..<threads.count {
      workspaces.append(
        try Workspace(
          configuration, kernels: kernels, rows: maxBatchRows,
          keptRows: PackedBatch.maxThreadRows(of: threads.count, upTo: maxBatchRows),
          fewRows: limits.largest,
          maskedLMSize: checkpoint.maskedLM.head?.size))
    }
    self.workspaces = workspaces
    let maskedLM = checkpoint.maskedLM.head.map { ($0, MaskedLMWeights.Layout($0, kernels)) }
    let vectors = try sentence?.tokenVectors.map { vectors throws(BERTError) in
      (vectors, try TokenProjection.Layout(vectors, hiddenSize: configuration.hiddenSize, kernels))
    }
    let workspaceBytes =
      workspaces.reduce(0) { $0 + $1.byteCount } + threads.count * (vectors?.1.scratchBytes ?? 0)
    let headBytes =
      (checkpoint.head.head?.byteCount ?? 0) + (maskedLM.map { $0.1.byteCount } ?? 0)
      + (vectors?.1.byteCount ?? 0) + (sentence?.byteCount ?? 0)
    let weights = try ModelWeights.packed(
      checkpoint, kernels: kernels, threads: threads,
      besides: workspaceBytes + headBytes + (maskedLM?.1.scratchBytes ?? 0), limit: memoryLimit)
    self.weights = weights
    weightBytes = weights.reduce(0) { $0 + $1.byteCount } + headBytes
    memoryBytes = workspaceBytes + weightBytes
    let classifier: Classifier?
    do {
      classifier = try checkpoint.head.head.map { head throws(CheckpointError) in
        try Classifier(head)
      }
    } catch {
      throw .checkpoint(error)
    }
    self.maskedLM = try maskedLM.map { (head, layout) throws(BERTError) in
      try unsafe MaskedLMWeights(
        head, layout, words: weights[0].wordTable, epsilon: configuration.layerNormEpsilon,
        kernels: kernels, threads: threads)
    }
    let projection = try vectors.map { (vectors, layout) throws(BERTError) in
      try TokenProjection(vectors, hiddenSize: configuration.hiddenSize, layout)
    }
    info = unsafe ModelInfo(checkpoint, sentence, hasPooler: weights[0].pooler != nil)
    shape = ModelShape(
      configuration: configuration, sentence: sentence, classifier: classifier,
      projection: projection, info: info,
      maxBatchRows: maxBatchRows)
  }

  /// Names of the kernel sets that this CPU can run at a precision, in order of preference.
  public static func availableKernelSets(for precision: Precision) -> [String] {
    Kernels.supported(precision).map(\.name)
  }

  public var threadCount: Int { threads.count }

  public func encode(
    _ batch: PackedBatch, on threads: [Int],
    completion: @escaping @Sendable (Result<[EncodedSequence], EncodeError>) -> Void
  ) {
    let plan: PassPlan
    do {
      plan = try PassPlan(batch, shape: shape, threadCount: threads.count)
    } catch {
      return self.threads.start(on: [threads[0]]) { _ in completion(.failure(error)) }
    }
    // On threads of several nodes all read the weights of the lead's.
    let pass = Pass(
      plan: plan,
      sequences: (0..<batch.count).map { EncodedSequence(rowCount: batch.rows(of: $0).count) },
      shape: shape, weights: weights[self.threads.nodes[threads[0]]], kernels: kernels,
      workspaces: threads.map { workspaces[$0] },
      limits: limits, maskedLM: maskedLM)
    self.threads.start(on: threads) { rank in
      pass.forward(rank: rank)
      guard rank == 0 else { return }
      let results = pass.takeResults()
      // Before anybody hears of the end: the next pass on these threads writes there at once.
      pass.workspaces[0].release(after: pass.plan.rowCount)
      completion(.success(results))
    }
  }

  /// `encode`, for a caller that has nothing else to do. Not to be called on a thread.
  ///
  /// - Returns: the sequences, each with its own failure if it has one.
  public func encodeAndWait(
    _ batch: PackedBatch, on threads: [Int]? = nil
  ) throws(EncodeError) -> [EncodedSequence] {
    let answer = Answer()
    encode(batch, on: threads ?? Array(0..<threadCount)) { result in
      answer.monitor.change { answer.result = result }
    }
    return try answer.monitor.wait { answer.result }.get()
  }

  /// `@unchecked Sendable`: `result` is touched only inside `monitor`.
  private final class Answer: @unchecked Sendable {
    let monitor = Monitor()
    var result: Result<[EncodedSequence], EncodeError>?
  }
}
