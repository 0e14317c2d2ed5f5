import EncoderContract
import JSON

/// The forms in which folders hold a `TokenVectors`.
extension TokenVectors {
  /// Keys of `config_sentence_transformers.json` that PyLate writes, and no other library.
  private static let markerKeys = [
    "query_prefix", "document_prefix", "do_query_expansion", "attend_to_expansion_tokens",
    "attend_to_mask_tokens", "query_length", "document_length", "skiplist_words",
  ]

  /// Of modules and the settings beside them; nil if they are not those of a `MultiVectorEncoder`.
  ///
  /// - Parameters:
  ///   - modules: of `modules.json` after the encoder: the class, and the folder.
  ///   - settings: `config_sentence_transformers.json`.
  ///   - transformer: `sentence_bert_config.json`, or the like.
  static func read(
    _ modules: [(name: Substring, folder: String)], settings: JSONFile?, transformer: JSONFile?
  ) throws(CheckpointError) -> TokenVectors? {
    guard let settings else { return nil }
    let type = try settings.string("model_type")
    let markerKey = markerKeys.first { settings[$0] != .null }
    let isPyLate = type != "MultiVectorEncoder" && (type == "ColBERT" || markerKey != nil)
    guard type == "MultiVectorEncoder" || isPyLate,
      !modules.contains(where: { $0.name == "Pooling" })
    else { return nil }
    var vectors = TokenVectors(layers: [])
    for (name, folder) in modules {
      switch name {
      case "Dense": vectors.layers.append(.dense(try DenseLayer(folder: folder, keys: .tokenDense)))
      case "Normalize":
        guard Folder.hasFile("config.json", in: folder) else { break }
        let file = try JSONFile(path: Folder.path("config.json", in: folder))
        // Without a name it reads a vector of the text, and there is none.
        guard try file.string("module_input_name") == "token_embeddings" else { break }
        try file.check(.tokenNormalize)
        vectors.layers.append(.normalize)
      case "MultiVectorMask":
        try vectors.readMask(JSONFile(path: Folder.path("config.json", in: folder)))
      case "Dropout": break
      default:
        throw .unsupported(
          path: settings.path,
          reason: "the module \(name.prefix(64)) is not supported in a folder of token vectors; "
            + "Dense, MultiVectorMask, Normalize and Dropout are")
      }
    }
    if let transformer { try vectors.readLengths(transformer) }
    if isPyLate {
      try vectors.readPyLate(settings, transformer)
    } else if let markerKey {
      // sentence-transformers reads only some of these keys here; a MultiVectorEncoder keeps the settings in
      // other files.
      throw settings.invalid(
        markerKey,
        "is a key of PyLate, and model_type is MultiVectorEncoder: take the key out, or set "
          + "model_type to \"ColBERT\"")
    }
    if let length = vectors.maxTokens[.query], let least = vectors.expansion?.length, length < least
    {
      throw .invalidValue(
        path: transformer?.path ?? settings.path, key: "query_length",
        reason: "must be at least query_expansion's length, \(least), is \(length)")
    }
    return vectors
  }

  /// `MultiVectorMask/config.json`.
  private mutating func readMask(_ file: JSONFile) throws(CheckpointError) {
    try file.check(.multiVectorMask)
    skippedWords = try file.strings("skiplist_words") ?? []
    var tasks: [String]?
    if case .string(let name) = file["skiplist_tasks"] {
      tasks = [name]
    } else {
      tasks = try file.strings("skiplist_tasks")
    }
    // Other tasks are none that a text is read for here.
    if let tasks { skippedIn = Set(tasks.compactMap(InputType.init(rawValue:))) }
    let ids: [JSONValue]
    switch file["keep_only_token_ids"] {
    case .null: return
    case .array(let items): ids = items
    default: throw file.invalid("keep_only_token_ids", "must be a list of token ids")
    }
    if ids.isEmpty { return }
    var kept: [Int32] = []
    for id in ids {
      guard let token = id.integer(in: 0...ModelConfiguration.Limits.vocabularySize.upperBound)
      else { throw file.invalid("keep_only_token_ids", "must be a list of token ids") }
      kept.append(Int32(token))
    }
    keptTokens = kept
  }

  private static let lengths = 2...(1 << 20)

  /// `query_length`, `document_length` and `query_expansion` as sentence-transformers writes them.
  private mutating func readLengths(_ file: JSONFile) throws(CheckpointError) {
    maxTokens[.query] = try file.integer("query_length", in: Self.lengths)
    maxTokens[.document] = try file.integer("document_length", in: Self.lengths)
    guard let own = try file.object("query_expansion") else { return }
    try own.check(.queryExpansion)
    let strategy = try own.string("strategy") ?? ""
    guard ["fixed", "min"].contains(strategy) else {
      throw file.invalid("query_expansion", "must have the strategy fixed or min")
    }
    expansion = Expansion(
      token: try own.string("token"), length: try own.requiredInteger("length", in: Self.lengths),
      isFixed: strategy == "fixed", isAttended: try own.boolean("attend") ?? false)
  }

  /// What PyLate keeps in `config_sentence_transformers.json`.
  ///
  /// - Parameter transformer: what it says goes before it.
  private mutating func readPyLate(
    _ file: JSONFile, _ transformer: JSONFile?
  ) throws(CheckpointError) {
    guard layers.contains(where: { if case .dense = $0 { true } else { false } }) else {
      throw .unsupported(
        path: file.path,
        reason: "is one of PyLate, and modules.json has no Dense module: PyLate would add one with "
          + "random weights. Save the folder with PyLate, its Dense module included")
    }
    let own = Set(transformer?.keys ?? [])
    skippedWords = try file.strings("skiplist_words") ?? Self.punctuation
    layers.append(.normalize)
    if !own.contains("document_length") {
      maxTokens[.document] = try file.integer("document_length", in: Self.lengths)
    }
    if !own.contains("query_expansion") { try readExpansion(file, own) }
    for key in ["query_prefix", "document_prefix"] {
      if let prefix = try file.string(key) { markers.append(prefix) }
    }
  }

  /// PyLate's keys for what became `query_expansion`.
  ///
  /// - Parameter own: keys of `sentence_bert_config.json`, which go before these.
  private mutating func readExpansion(
    _ file: JSONFile, _ own: Set<String>
  ) throws(CheckpointError) {
    let length = try file.integer("query_length", in: Self.lengths)
    guard try file.boolean("do_query_expansion") ?? true else {
      if !own.contains("query_length") { maxTokens[.query] = length }
      return
    }
    let isAttended = try file.boolean("attend_to_expansion_tokens")
    let isMaskAttended = try file.boolean("attend_to_mask_tokens")
    expansion = Expansion(
      token: nil, length: length ?? 32, isFixed: true,
      isAttended: isAttended ?? isMaskAttended ?? false)
  }

  /// Whether ColBERT's own code has written a folder.
  static func isStanford(_ folder: String) throws(CheckpointError) -> Bool {
    guard Folder.hasFile("config.json", in: folder) else { return false }
    return try JSONFile(path: Folder.path("config.json", in: folder)).architectures
      .contains("HF_ColBERT")
  }

  /// Of a folder that ColBERT's own code has written: the projection is among the encoder's weights.
  static func readStanford(folder: String) throws(CheckpointError) -> SentenceModules? {
    guard try isStanford(folder) else { return nil }
    var vectors = TokenVectors(layers: [
      .dense(try DenseLayer(projection: "linear.weight", folder: folder)),
      .normalize,
    ])
    vectors.file = DenseLayer.weightsFile(in: folder)
    var file: JSONFile?
    if Folder.hasFile("artifact.metadata", in: folder) {
      file = try JSONFile(path: Folder.path("artifact.metadata", in: folder))
    }
    if let similarity = try file?.string("similarity"), similarity != "cosine" {
      throw .unsupported(
        path: Folder.path("artifact.metadata", in: folder),
        reason: "similarity is \(similarity.prefix(64)); only cosine is supported")
    }
    vectors.maxTokens[.document] = try file?.integer("doc_maxlen", in: lengths)
    vectors.expansion = Expansion(
      token: nil, length: try file?.integer("query_maxlen", in: lengths) ?? 32, isFixed: true,
      isAttended: try file?.boolean("attend_to_mask_tokens") ?? false)
    // A null mask_punctuation is false; a missing one is true.
    let isUnstated = file.map { !$0.keys.contains("mask_punctuation") } ?? true
    if try file?.boolean("mask_punctuation") ?? isUnstated { vectors.skippedWords = punctuation }
    func marker(_ key: String, _ usual: String) throws(CheckpointError) -> String {
      let name = try file?.string(key) ?? ""
      return (name.isEmpty ? usual : name) + " "
    }
    let (query, document) = (
      try marker("query_token_id", "[unused0]"), try marker("doc_token_id", "[unused1]")
    )
    vectors.markers = [query, document]
    var result = SentenceModules(tokenVectors: vectors)
    result.prompts = ["query": query, "document": document]
    return result
  }

  /// Python's `string.punctuation`.
  private static let punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".map(String.init)
}

extension SentenceModules {
  /// What BGE-M3 has beside its modules: `colbert_linear.pt` and `sparse_linear.pt`.
  mutating func readM3(_ folder: String) throws(CheckpointError) {
    let (vectors, weights) = ("colbert_linear.pt", TokenWeights.file)
    if Folder.hasFile(vectors, in: folder) {
      let layer = try DenseLayer(stateDictionary: vectors, folder: folder)
      var own = TokenVectors(layers: [.dense(layer), .normalize])
      (own.skipsFirst, own.file) = (true, vectors)
      tokenVectors = own
    }
    if Folder.hasFile(weights, in: folder) {
      let layer = try DenseLayer(stateDictionary: weights, folder: folder)
      guard layer.outputs == 1 else {
        throw .tensors(
          path: Folder.path(weights, in: folder), missing: ["weight [1, \(layer.inputs)]"],
          unusable: [], unexpected: [])
      }
      tokenWeights = TokenWeights(layer: layer)
    }
  }
}
