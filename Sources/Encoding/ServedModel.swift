public import Batching
public import EncoderContract
package import JSON
package import Serving
public import Tokenizers

/// A loaded model as the routes see it; never written after loading.
public struct ServedModel: Sendable {
  /// What the folder's sentence-transformers modules say, besides the vector's size.
  public struct Sentence: Sendable, Equatable {
    /// How tokens become one vector, as the library names it.
    public var pooling: String
    /// Whether the vector has length 1.
    public var normalizes: Bool
    /// Texts to put before the input, by the name that asks for them.
    public var prompts: [String: String]
    /// The text before an input where the request names no prompt; nil for none.
    public var defaultPrompt: String?
    /// Whether the tokens of a prompt take part in the pooling.
    public var poolsPrompt: Bool

    public init(
      pooling: String, normalizes: Bool, prompts: [String: String], poolsPrompt: Bool,
      defaultPrompt: String? = nil
    ) {
      self.pooling = pooling
      self.normalizes = normalizes
      self.prompts = prompts
      self.poolsPrompt = poolsPrompt
      self.defaultPrompt = defaultPrompt
    }
  }

  /// Of the protocols that have versions of a model; there is one.
  package static let version = "1"

  public var name: String
  /// Other names that it answers to, and is listed under.
  public var aliases: [String] = []
  /// Other names that it answers to: its folder's on the Hugging Face Hub.
  public var hubNames: [String] = []
  /// Whether it answers to a name that is no model's.
  public var takesAnyName = false
  public var info: ModelInfo
  /// Nil if there is no `sentence_embedding`, `sparse_embedding` or `colbert`.
  public var sentence: Sentence?
  /// The most tokens of a text where the request names no limit.
  public var defaultMaxTokens: Int
  /// Whether answers that have a row a token are padded to `defaultMaxTokens` where the request
  /// names neither limit nor length: TF Hub's preprocessors pad to 128.
  public var padsRows = false
  public var tokenizer: Tokenizer
  /// How queries and documents are read for `colbert`; empty if there is none.
  public var colbertInputs: [InputType: ColBERTInput] = [:]
  /// Tokens that get no weight in a `sparse_embedding` made of weights of the text's own tokens; nil
  /// where it is made otherwise.
  public var unweightedTokens: Set<Int32>?
  /// The token that a masked language model fills in; nil if the vocabulary has none.
  public var maskID: Int32?
  /// Shared by all models.
  public var queue: BatchQueue
  /// Index of its encoder in the queue.
  public var encoder: Int
  /// What `/info` tells besides the shape: precision, kernel set, threads and why that many.
  public var facts: [(name: String, value: String)]
  /// What whoever runs this should know of the folder; in `/info` too.
  public var notes: [(name: String, value: String)] = []

  public init(
    name: String, info: ModelInfo, sentence: Sentence?, defaultMaxTokens: Int,
    tokenizer: Tokenizer, queue: BatchQueue, encoder: Int,
    facts: [(name: String, value: String)]
  ) {
    self.name = name
    self.info = info
    self.sentence = sentence
    self.defaultMaxTokens = defaultMaxTokens
    self.tokenizer = tokenizer
    self.queue = queue
    self.encoder = encoder
    self.facts = facts
  }

  /// `OWNER/NAME`, as on the Hugging Face Hub, of its own name: copies of a model differ in the
  /// owner alone, and clients are set up with either.
  fileprivate func isHubName(_ name: RawText) -> Bool {
    let parts = name.split(UInt8(ascii: "/"))
    return parts.count == 2 && !parts[0].isEmpty && RawText(self.name) == parts[1]
  }

  /// Whether its task is to label, and not to embed: it has a head, and no sentence-transformers modules.
  package var isClassifier: Bool { sentence == nil && !info.labels.isEmpty }

  /// Whether its task is to fill in masks: it has such a head, and no sentence-transformers modules.
  package var fillsMasks: Bool { sentence == nil && info.has(.mlmLogits) }

  /// The entry that protocols answer with that know one vector a text: `sentence_embedding`, which
  /// is made to compare texts by, else `pooled_output`.
  package func vectorKey() throws(ServiceError) -> OutputKey {
    if info.has(.sentenceEmbedding) { return .sentenceEmbedding }
    guard !info.has(.sparseEmbedding) else {
      throw .invalid("this model gives sparse vectors: ask /embed_sparse")
    }
    guard !info.has(.colbert) else {
      throw .invalid("this model gives a vector a token: ask /encode?output_key=colbert")
    }
    guard info.has(.pooledOutput) else {
      throw .invalid(
        "this model has neither sentence-transformers modules nor a pooler, so no vector of a "
          + "text; ask /encode for its sequence_output")
    }
    return .pooledOutput
  }

  /// Whether the folder's own module has given vectors length 1: they are left as they are then, to the
  /// last bit.
  package func isNormalized(_ key: OutputKey, dimensions: Int?) -> Bool {
    key == .sentenceEmbedding && sentence?.normalizes == true && dimensions == nil
  }

  /// Elements of a text's vector.
  package var vectorSize: Int {
    info.has(.sentenceEmbedding) ? info.width(of: .sentenceEmbedding) : info.hiddenSize
  }
}

extension [ServedModel] {
  /// Names in `/v1/models`, `/openapi.json` and messages. Those of the Hub are answered, and not listed.
  package var listedNames: [String] { flatMap { [$0.name] + $0.aliases } }

  /// The model that answers to a name: a model's own goes before other names, and those before the
  /// rule for any.
  package func named(_ name: RawText) -> ServedModel? {
    known(name) ?? first(where: \.takesAnyName)
  }

  /// The same of a name in the path of a request, which may have slashes.
  ///
  /// - Throws: `unknownRoute` if only what is before a slash is a model's name.
  package func named(_ name: RawText, in exchange: Exchange) throws(ServiceError) -> ServedModel? {
    let parts = name.split(UInt8(ascii: "/"), maxSplits: 1)
    if known(name) == nil, parts.count == 2, known(parts[0]) != nil {
      throw exchange.unknownRoute
    }
    return named(name)
  }

  private func known(_ name: RawText) -> ServedModel? {
    first { RawText($0.name) == name }
      ?? first { $0.aliases.contains { RawText($0) == name } }
      ?? first { $0.hubNames.contains { RawText($0) == name } }
      ?? first { $0.isHubName(name) }
  }
}
