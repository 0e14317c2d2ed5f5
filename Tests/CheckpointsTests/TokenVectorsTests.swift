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
    #expect(vectors.size(hiddenSize: 24) == 16 && modules.fits(hiddenSize: 24))
    #expect(vectors.size(hiddenSize: 16) == nil && !modules.fits(hiddenSize: 16))
    #expect(vectors.layers.last == .normalize && vectors.layers.count == 3)
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
    #expect(modules.prompts == ["query": "[unused0] ", "document": "[unused1] "])
  }

  @Test func ofM3() throws {
    let modules = try read("m3")
    #expect(modules.poolings == [.cls] && modules.tokenVectors?.skipsFirst == true)
    #expect(modules.tokenWeights?.layer.outputs == 1 && modules.fits(hiddenSize: 24))
    // A pooling of one's own leaves the vectors of tokens; sparse vectors take the place of all.
    #expect(SentenceModules(modules, pooling: .mean)?.tokenVectors != nil)
    let sparse = SentenceModules(modules, pooling: nil, sparse: SparsePooling())
    #expect(sparse?.tokenVectors == nil && sparse?.tokenWeights == nil)
  }

  @Test func tokensThatCount() {
    let all = ScoredTokens()
    #expect(all.contains(5, at: 0, isAttended: true) && !all.contains(5, at: 0, isAttended: false))
    let some = ScoredTokens(skipped: [7], kept: [5, 7], expansion: 5, skipsFirst: true)
    #expect(!some.contains(5, at: 0, isAttended: true) && some.contains(5, at: 1, isAttended: true))
    #expect(some.contains(5, at: 1, isAttended: false))
    #expect(
      !some.contains(7, at: 1, isAttended: true) && !some.contains(6, at: 1, isAttended: true))
  }
}
