import EncoderContract
import Testing

@testable import Checkpoints

/// The forms in which folders hold what makes `colbert`.
struct TokenVectorsTests {
  private func read(_ name: String) throws -> SentenceModules {
    try #require(try SentenceModules.read(folder: Fixtures.folder("colbert/\(name)")))
  }

  @Test func ofSentenceTransformers() throws {
    let modules = try read("native")
    let vectors = try #require(modules.tokenVectors)
    #expect(vectors.size(hiddenSize: 24) == 16 && modules.fileWithWrongSizes(hiddenSize: 24) == nil)
    #expect(
      vectors.size(hiddenSize: 16) == nil
        && modules.fileWithWrongSizes(hiddenSize: 16) == "modules.json")
    #expect(vectors.layers.last == .normalize && vectors.layers.count == 3)
    let residuals = vectors.layers.map { layer in
      if case .dense(let dense) = layer { dense.residual } else { DenseLayer.Residual.none }
    }
    guard case .projected(let matrix) = residuals[0] else {
      Issue.record("\(residuals[0])")
      return
    }
    #expect(matrix.count == 16 * 24 && residuals[1] == .input)
    #expect(vectors.skippedWords.count == 4 && vectors.skippedIn == [.query, .document])
    #expect(vectors.maxTokens == [.query: 24])
    #expect(
      vectors.expansion
        == TokenVectors.Expansion(token: nil, length: 12, isFixed: false, isAttended: true))
    #expect(modules.prompts["query"] == "what: " && modules.prompts["passage"] == "a fish ")
    #expect(modules.poolings.isEmpty && modules.embeddingSize(hiddenSize: 24) == nil)
  }

  @Test func ofPyLate() throws {
    let modules = try read("pylate")
    let vectors = try #require(modules.tokenVectors)
    #expect(vectors.skippedWords == [",", ".", "!", "?", "-"] && vectors.skippedIn == [.document])
    #expect(vectors.maxTokens == [.document: 40])
    #expect(
      vectors.expansion
        == TokenVectors.Expansion(token: nil, length: 16, isFixed: true, isAttended: false))
    #expect(modules.prompts == ["query": "[Q] ", "document": "[D] "])
    #expect(vectors.markers == ["[Q] ", "[D] "] && vectors.layers.last == .normalize)
  }

  @Test func ofColBERTsOwnCode() throws {
    let modules = try read("stanford")
    let vectors = try #require(modules.tokenVectors)
    #expect(vectors.maxTokens == [.document: 50] && vectors.expansion?.length == 14)
    #expect(vectors.skippedWords.count == 32)
    #expect(modules.fileWithWrongSizes(hiddenSize: 16) == "model.safetensors")
    #expect(modules.prompts == ["query": "[unused0] ", "document": "[unused1] "])
  }

  @Test func ofM3() throws {
    let modules = try read("m3")
    #expect(modules.poolings == [.cls] && modules.tokenVectors?.skipsFirst == true)
    #expect(
      modules.tokenWeights?.layer.outputs == 1 && modules.fileWithWrongSizes(hiddenSize: 24) == nil)
    #expect(modules.fileWithWrongSizes(hiddenSize: 16) == "colbert_linear.pt")
    // A pooling of one's own leaves the vectors of tokens; sparse vectors take the place of all.
    #expect(SentenceModules(modules, pooling: .mean)?.tokenVectors != nil)
    let sparse = SentenceModules(modules, pooling: nil, sparse: SparsePooling())
    #expect(sparse?.tokenVectors == nil && sparse?.tokenWeights == nil)
  }

  @Test(arguments: [
    (
      "stanford/artifact.metadata", #""similarity": "cosine""#, #""similarity": "l2""#,
      "similarity is l2"
    ),
    ("stanford/artifact.metadata", #""query_maxlen": 14"#, #""query_maxlen": 1"#, "query_maxlen"),
    (
      "stanford/artifact.metadata", #""doc_maxlen": 50"#, #""doc_maxlen": 9223372036854775807"#,
      "doc_maxlen"
    ),
    (
      "pylate/modules.json", "pylate.models.Dense.Dense", "sentence_transformers.models.Dropout",
      "no Dense module"
    ),
    (
      "pylate/config_sentence_transformers.json", #""query_length": 16"#,
      #""query_length": 9223372036854775807"#, "query_length"
    ),
    (
      "pylate/config_sentence_transformers.json", #""document_length": 40"#,
      #""document_length": 1"#, "document_length"
    ),
    (
      "native/config_sentence_transformers.json", #""similarity_fn_name""#,
      #""skiplist_words": [], "similarity_fn_name""#, "skiplist_words"
    ),
    (
      "native/sentence_bert_config.json", #""query_length": 24"#, #""query_length": 1"#,
      "query_length"
    ),
    (
      "native/sentence_bert_config.json", #""length": 12"#, #""length": 9223372036854775807"#,
      #""length""#
    ),
  ])
  func refusals(_ file: String, _ old: String, _ new: String, _ reason: String) throws {
    let parts = file.split(separator: "/").map(String.init)
    let folder = try Fixtures.copy("colbert/\(parts[0])")
    let text = try String(
      decoding: #require(Fixtures.files("colbert/\(parts[0])")[parts[1]]), as: UTF8.self)
    try #require(text.contains(old))
    try folder.write(text.replacing(old, with: new), to: parts[1])
    let error = try #require(throws: CheckpointError.self) {
      try SentenceModules.read(folder: folder.path)
    }
    #expect(error.message.contains(parts[1]) && error.message.contains(reason), "\(error.message)")
  }

  /// BGE-M3's weights are one number a token.
  @Test func severalWeightsAToken() throws {
    let folder = try Fixtures.copy("colbert/m3")
    let files = try Fixtures.files("colbert/m3")
    try folder.write(#require(files["colbert_linear.pt"]), to: "sparse_linear.pt")
    let error = try #require(throws: CheckpointError.self) {
      try SentenceModules.read(folder: folder.path)
    }
    #expect(error.message.contains("sparse_linear.pt") && error.message.contains("weight [1, 24]"))
  }

  @Test func scoredTokens() {
    let all = ScoredTokens()
    #expect(all.contains(5, at: 0, isAttended: true) && !all.contains(5, at: 0, isAttended: false))
    let some = ScoredTokens(skipped: [7], kept: [5, 7], expansion: 5, skipsFirst: true)
    #expect(!some.contains(5, at: 0, isAttended: true) && some.contains(5, at: 1, isAttended: true))
    #expect(some.contains(5, at: 1, isAttended: false))
    #expect(
      !some.contains(7, at: 1, isAttended: true) && !some.contains(6, at: 1, isAttended: true))
  }
}
