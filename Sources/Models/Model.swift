public import BERT
public import Checkpoints
import Dispatch
public import EncoderContract
import Synchronization
public import Tokenizers

/// A model folder, ready to encode texts.
///
/// May be used from several threads; it computes for one of them at a time.
public final class Model: Sendable {
  public let files: ModelFiles
  public let tokenizer: Tokenizer
  public let encoder: Encoder
  private let defaultPrompt: String?
  private let colbertInputs: [InputType: ColBERTInput]
  private let unweighted: Set<Int32>
  /// The encoder's threads take one pass at a time.
  private let turn = Mutex(())

  /// - Parameters:
  ///   - folder: of Hugging Face, sentence-transformers, TensorFlow Hub or the original BERT.
  ///   - threads: that compute; 0 for as many as the process may use.
  ///   - precision: of the matrix products.
  /// - Throws: what is wrong with which file, and what to do.
  public convenience init(
    folder: String, threads: Int = 0, precision: Encoder.Precision = .float32
  ) throws {
    let files = try ModelFiles(folder)
    try self.init(
      files, sentence: files.sentenceModules, threads: threads, precision: precision)
  }

  /// - Parameters:
  ///   - files: of the model.
  ///   - sentence: in place of the folder's.
  ///   - threads: that compute; 0 for as many as the process may use.
  ///   - precision: of the matrix products.
  ///   - kernelSet: nil for the first that this CPU can run.
  public init(
    _ files: ModelFiles, sentence: SentenceModules?, threads: Int = 0,
    precision: Encoder.Precision = .float32, kernelSet: String? = nil
  ) throws {
    self.files = files
    tokenizer = try files.tokenizer()
    defaultPrompt = sentence?.defaultPrompt
    colbertInputs = try files.colbertInputs(tokenizer, sentence)
    unweighted = files.unweightedTokens(tokenizer, sentence) ?? []
    encoder = try Encoder(
      files.checkpoint, sentence: sentence,
      threads: ComputeThreads(on: NUMANodes(threadCount: ThreadCount(setting: threads).count)),
      precision: precision,
      kernelSet: kernelSet,
      maxBatchRows: max(files.checkpoint.configuration.positionCount, PackedBatch.usualRows))
  }

  /// One vector a text: `sentence_embedding`, `logits`, or `default` and `pooled_output`, which are the
  /// same.
  /// Texts are cut to the folder's limit of tokens.
  ///
  /// - Returns: [texts] of [D], [H] or [labels].
  public func vectors(
    of texts: [String], _ key: OutputKey = .default
  ) throws -> [[Float]] {
    guard key.part == .text else {
      throw InputError("\(key.rawValue) is no vector of a text: use encode")
    }
    guard encoder.info.has(key) else {
      throw InputError(
        "\(files.path) gives no \(key.rawValue): \(encoder.info.absence(of: key))")
    }
    return try encode(texts.map(TokenizerInput.single), for: OutputSelection([key])).map {
      try $0.get().sequence[key]
    }
  }

  /// Encodes texts of like lengths together. What a text gets does not depend on the others.
  ///
  /// - Parameters:
  ///   - inputs: the folder's default prompt is put before each if a `sentence_embedding` is asked for,
  ///     and that of the type if `colbert` is.
  ///   - selection: the entries that are wanted.
  ///   - maxTokens: of a text, special ones included; nil for the folder's limit. The expansion of a query
  ///     for `colbert` comes after that.
  ///   - truncation: what becomes of a longer text.
  ///   - length: fills texts up to so many tokens, the most of an expansion too.
  ///   - type: what the texts are, which decides how they are read for `colbert`.
  /// - Returns: in the order of the inputs, a failure for each that cannot be encoded.
  public func encode(
    _ inputs: [TokenizerInput], for selection: OutputSelection, maxTokens: Int? = nil,
    truncation: Truncation = .right, padTo length: Int? = nil, as type: InputType = .document
  ) throws(EncodeError) -> [Result<EncodedText, InputError>] {
    var selection = selection
    selection.unweighted = unweighted
    let colbert = selection.contains(.colbert) ? colbertInput(type) : nil
    if let colbert { selection.scored = colbert.scored }
    let limit = maxTokens ?? colbert?.maxTokens ?? files.maxTokens
    let prompt = colbert?.prompt ?? prompt(for: selection)
    return try encode(
      onAllThreads(inputs) { input in
        self.tokenize(input, prompt, limit, truncation, length, colbert?.expansion)
      }, for: selection)
  }

  /// How texts of a type are read for `colbert`; nil if the folder has none.
  public func colbertInput(_ type: InputType) -> ColBERTInput? { colbertInputs[type] }

  func prompt(for selection: OutputSelection) -> String? {
    selection.contains(.sentenceEmbedding) || selection.contains(.sparseEmbedding)
      ? defaultPrompt : nil
  }

  func encode(
    _ texts: [Result<Tokenization, InputError>], for selection: OutputSelection
  ) throws(EncodeError) -> [Result<EncodedText, InputError>] {
    var sequences = [EncodedSequence?](repeating: nil, count: texts.count)
    for batch in batches(texts.map { (try? $0.get().sequence.count) ?? 0 }) {
      var packed = PackedBatch()
      for index in batch {
        if case .success(let text) = texts[index] {
          packed.append(text.sequence, for: selection)
        }
      }
      let encoded = turn.withLock { _ in
        Result { () throws(EncodeError) in try encoder.encodeAndWait(packed) }
      }
      for (index, sequence) in zip(batch, try encoded.get()) { sequences[index] = sequence }
    }
    return zip(texts, sequences).map { text, sequence in
      text.flatMap { text in
        guard let sequence else { return .failure(InputError("it was not encoded")) }
        if let failure = sequence.failure { return .failure(InputError(failure.description)) }
        return .success(
          EncodedText(
            sequence: sequence, tokenCount: text.sequence.attendedCount,
            truncated: text.truncated))
      }
    }
  }

  /// Indices of texts that are encoded together: the longest first, as many as fill a pass.
  private func batches(_ lengths: [Int]) -> [[Int]] {
    let order = lengths.indices.filter { lengths[$0] > 0 }
      .sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    var batches: [[Int]] = []
    var rows = 0
    for index in order {
      if batches.isEmpty
        || !PackedBatch.takes(lengths[index], after: rows, upTo: encoder.maxBatchRows)
      {
        batches.append([])
        rows = 0
      }
      batches[batches.count - 1].append(index)
      rows += lengths[index]
    }
    return batches
  }

  /// On as many threads as encode, which wait meanwhile.
  func onAllThreads<Output: Sendable>(
    _ inputs: [TokenizerInput], _ body: @Sendable (TokenizerInput) -> Output
  ) -> [Output] {
    let parts = Mutex([Int: [Output]]())
    let count = encoder.threadCount
    DispatchQueue.concurrentPerform(iterations: count) { part in
      let range = inputs.count * part / count..<inputs.count * (part + 1) / count
      let results = inputs[range].map(body)
      parts.withLock { $0[part] = results }
    }
    return parts.withLock { parts in (0..<count).flatMap { parts[$0] ?? [] } }
  }

  private func tokenize(
    _ input: TokenizerInput, _ prompt: String?, _ maxTokens: Int, _ truncation: Truncation,
    _ length: Int?, _ expansion: QueryExpansion?
  ) -> Result<Tokenization, InputError> {
    guard let input = input.prompted(prompt == "" ? nil : prompt) else {
      return .failure(
        InputError(
          "it is a pair or a list of words, and the folder's prompt is put before single texts alone"
        ))
    }
    if case .pair = input,
      tokenizer.highestType(ofPairs: true) >= encoder.configuration.typeCount
    {
      return .failure(InputError("this model has one segment type, so it takes no pairs"))
    }
    do {
      var text = try tokenizer.tokenize(
        input, maxTokens: maxTokens, truncation: truncation)
      if let expansion { text.expand(expansion, upTo: length) }
      if let length { text.pad(to: length, with: tokenizer.padding) }
      return .success(text)
    } catch {
      return .failure(InputError(error.description))
    }
  }
}

/// What became of a text.
public struct EncodedText: Sendable {
  /// The entries that were asked for.
  public var sequence: EncodedSequence
  /// Special ones included, padding not.
  public var tokenCount: Int
  /// Whether tokens were dropped to keep to the limit.
  public var truncated: Bool
  /// UTF-8 bytes of the text that a chunk covers; nil where no chunks were asked for.
  public var bytes: Range<Int>?
}

/// Why a text is not encoded, and what to change.
public struct InputError: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
