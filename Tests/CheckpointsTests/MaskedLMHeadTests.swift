import EncoderContract
import Testing

@testable import Checkpoints

@Suite struct MaskedLMHeadTests {
  /// E and V of each, and whether the decoder's weights are its own.
  @Test(
    arguments: [
      ("bert", 24, 224, false), ("untied", 24, 224, true), ("distilbert", 24, 224, false),
      ("electra", 16, 224, false), ("mpnet", 24, 229, false), ("albert", 16, nil, false),
      ("roberta", 24, nil, false), ("xlm-roberta", 24, 525, false), ("camembert", 24, 525, false),
    ] as [(String, Int, Int?, Bool)])
  func heads(name: String, size: Int, vocabularySize: Int?, isOwn: Bool) throws {
    let checkpoint = try Checkpoint(folder: Fixtures.folder("heads/masked-\(name)"))
    let head = try #require(checkpoint.maskedLM.head, "\(checkpoint.maskedLM.absence)")
    #expect(head.size == size)
    #expect(head.vocabularySize == vocabularySize ?? checkpoint.configuration.vocabularySize)
    #expect((head.decoder != nil) == isOwn)
    #expect(head.transform?.dense.weights.shape == [size, 24])
    #expect(checkpoint.head.head == nil)
  }

  @Test(arguments: [
    (#""BertForMaskedLM""#, #""BertModel""#, "no masked-LM head"),
    (#""BertForMaskedLM""#, "", "names no class"),
    (#""tie_word_embeddings": true"#, #""tie_word_embeddings": false"#, "cls.predictions.decoder"),
  ])
  func folderWithoutAHead(old: String, new: String, word: String) throws {
    let folder = try Fixtures.copy("heads/masked-bert")
    let text = try #require(
      try Fixtures.files("heads/masked-bert")["config.json"].map {
        String(decoding: $0, as: UTF8.self)
      })
    #expect(text.contains(old))
    try folder.write(text.replacing(old, with: new), to: "config.json")
    let finding = try Checkpoint(folder: folder.path).maskedLM
    #expect(finding.head == nil)
    #expect(finding.absence.contains(word), "\(finding.absence)")
  }

  @Test func sparseModules() throws {
    let modules = try #require(try SentenceModules.read(folder: Fixtures.folder("heads/splade")))
    #expect(modules.sparse == SparsePooling(strategy: .max, activation: .relu))
    #expect(modules.embeddingSize(hiddenSize: 24) == nil)
    #expect(modules.prompts["query"] == "a goldfish: ")
    let sum = try #require(try SentenceModules.read(folder: Fixtures.folder("heads/splade-sum")))
    #expect(sum.sparse == SparsePooling(strategy: .sum, activation: .log1pReLU))
    // A pooling that is asked for takes the place of the folder's.
    #expect(SentenceModules(modules, pooling: .mean)?.sparse == nil)
    #expect(SentenceModules(nil, pooling: nil, sparse: SparsePooling())?.poolings == [])
    #expect(SentenceModules(nil, pooling: nil) == nil)
  }
}
