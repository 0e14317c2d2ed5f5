/// A TensorFlow SavedModel of a BERT encoder, as TF Hub has them: `saved_model.pb`,
/// `variables/variables.*`, and `assets/vocab.txt` or a SentencePiece model.
struct SavedModelFolder {
  let configuration: ModelConfiguration
  /// By canonical name.
  let tensors: [String: Tensor]
  /// Whether text is lower-cased; nil if nothing shows it, or a `tokenizer_config.json` is to say it.
  let lowercases: Bool?
  /// Whether that is only what the vocabulary looks like.
  let guessesCase: Bool
  /// The vocabulary's file; nil if no file of the assets is known to be it.
  let vocabularyPath: String?
  /// The vocabulary if it is of SentencePiece.
  let sentencePiece: SentencePieceSteps?
  /// Keys of the export's map.
  let keys: Set<String>
  /// What is served of a larger model; nil if the model is an encoder.
  let part: String?
  /// What the model makes of the encoder's pooled output.
  let head: HeadFinding<ClassificationHead>
  /// The tokens of a text by the preprocessing model that is part of it; nil if there is none.
  let textLength: Int?

  static let files = ["saved_model.pb", "variables/variables.index"]

  static func isPresent(in folder: String) -> Bool { Folder.hasFile("saved_model.pb", in: folder) }

  init(_ folder: String, verifiesChecksums: Bool = true) throws(CheckpointError) {
    let graph = try SavedModelGraph(path: Folder.path("saved_model.pb", in: folder))
    let (signature, part) = try Self.encoder(in: graph)
    self.part = part
    let bundle = try TensorBundle(
      prefix: Folder.path("variables/variables", in: folder), verifiesChecksums: verifiesChecksums)
    let variables = try SavedModelVariables(graph, bundle, signature)
    let configuration = try variables.configuration()
    let finding = try SavedModelProbe(
      graph: graph, signature: signature, configuration: configuration,
      weights: variables.probeWeights, captures: variables.captures,
      hasPooler: variables.tensors["pooler.dense.weight"] != nil
    ).finding()
    self.configuration = finding.configuration
    head =
      part == nil
      ? .none(because: "the model is an encoder alone")
      : try SavedModelHead(graph: graph, bundle: bundle, variables: variables, encoder: finding)
        .finding()
    textLength = part == nil ? nil : try graph.textLength()
    tensors = variables.tensors
    keys = finding.keys
    let (path, isSentencePiece) = try Self.vocabulary(graph, folder)
    let graphLowercases = try Self.lowercases(graph, bundle, variables.keys)
    sentencePiece =
      if let steps = try SentencePieceSteps(graph) {
        steps
      } else if isSentencePiece, let path {
        try SentencePieceSteps(asset: path, lowercases: graphLowercases)
      } else {
        nil
      }
    vocabularyPath = sentencePiece == nil ? path : nil
    let stated = sentencePiece?.lowercases ?? graphLowercases
    guessesCase =
      stated == nil && vocabularyPath.map(Folder.exists) == true
      && !Folder.hasFile("tokenizer_config.json", in: folder)
    lowercases =
      if guessesCase, let vocabularyPath { try VocabularyCase.isLower(vocabularyPath) } else {
        stated
      }
  }

  /// The function that is the encoder: the model's own, or, where the model takes texts, that of
  /// the first of its parts that is one.
  private static func encoder(
    in graph: SavedModelGraph
  ) throws(CheckpointError) -> (GraphSignature, part: String?) {
    var pending = [(node: 0, name: "")]
    var seen: Set<Int> = [0]
    var next = 0
    while next < pending.count {
      let (node, name) = pending[next]
      next += 1
      guard graph.objects.indices.contains(node) else { continue }
      if let call = graph.child("__call__", of: node) {
        var signatures: [GraphSignature] = []
        for function in graph.objects[call].functions {
          if let signature = try graph.signature(function) { signatures.append(signature) }
        }
        if let encoder = signatures.first(where: SavedModelProbe.isEncoder) {
          return (encoder, name.isEmpty ? nil : name)
        }
        if signatures.contains(where: SavedModelProbe.takesTokens) {
          // A layer of tensorflow_hub calls its module, with one length of text. What another
          // layer gives is not what its parts do.
          guard let module = graph.child("_func", of: node) else { break }
          pending = [(module, "\(name)._func")]
          next = 0
          continue
        }
      }
      for child in graph.objects[node].children where seen.insert(child.node).inserted {
        pending.append((child.node, name.isEmpty ? child.name : "\(name).\(child.name)"))
      }
    }
    throw .unsupported(
      path: graph.path,
      reason: "is no BERT encoder as TF Hub has them: it cannot be called with input_word_ids, "
        + "input_mask and input_type_ids, for any batch and length, for a map that has "
        + "sequence_output")
  }

  /// The variable `do_lower_case`, or whether a preprocessing model that is part of the model
  /// folds case.
  private static func lowercases(
    _ graph: SavedModelGraph, _ bundle: TensorBundle, _ keys: [Int: String]
  ) throws(CheckpointError) -> Bool? {
    guard let node = graph.child("do_lower_case", of: 0), let key = keys[node],
      let entry = bundle.entries.first(where: { $0.name == key })
    else { return try graph.foldsCase() }
    return try bundle.boolean(entry)
  }

  private static func vocabulary(
    _ graph: SavedModelGraph, _ folder: String
  ) throws(CheckpointError) -> (path: String?, isSentencePiece: Bool) {
    let names = Set(graph.assets)
    var name = names.count == 1 ? names.first : names.first { $0 == "vocab.txt" }
    var isSentencePiece = false
    for (child, kind) in [("sp_model_file", true), ("vocab_file", false)] {
      guard let node = graph.child(child, of: 0), let number = graph.objects[node].asset,
        graph.assets.indices.contains(number)
      else { continue }
      (name, isSentencePiece) = (graph.assets[number], kind)
    }
    guard let name else { return (nil, false) }
    guard !name.contains("/"), name != "..", !name.isEmpty else {
      throw .unsupported(path: graph.path, reason: "the asset \"\(name)\" must be a file's name")
    }
    return (
      Folder.path("assets/\(name)", in: folder), isSentencePiece || name.hasSuffix(".model")
    )
  }
}
