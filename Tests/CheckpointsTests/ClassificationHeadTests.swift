import EncoderContract
import FoundationEssentials
import Testing

@testable import Checkpoints

@Suite struct ClassificationHeadTests {
  /// A folder of Fixtures/heads with a changed line in its `config.json`.
  private func folder(_ name: String, _ old: String = "", _ new: String = "") throws
    -> TemporaryFolder
  {
    let folder = try Fixtures.copy("heads/\(name)")
    let text = try #require(
      try Fixtures.files("heads/\(name)")["config.json"].map { String(decoding: $0, as: UTF8.self) }
    )
    #expect(old.isEmpty || text.contains(old), "\(old) is not in \(name)/config.json")
    try folder.write(text.replacing(old, with: new), to: "config.json")
    return folder
  }

  private static let expected:
    [(String, ClassificationHead.Input, layers: Int, labels: Int, ScoreFunction?)] = [
      ("reranker", .pooled, 1, 1, .sigmoid),
      ("emotions", .pooled, 1, 3, .softmax), ("several", .pooled, 1, 3, .sigmoid),
      ("regression", .pooled, 1, 1, nil), ("distilbert", .firstToken, 2, 3, .softmax),
      ("mpnet", .firstToken, 2, 3, .softmax), ("albert", .pooled, 1, 3, .softmax),
      ("electra", .firstToken, 2, 3, .softmax),
      ("roberta", .firstToken, 2, 3, .softmax),
      ("xlm-roberta-reranker", .firstToken, 2, 1, .sigmoid),
      ("entities", .eachToken, 1, 5, nil), ("roberta-entities", .eachToken, 1, 5, nil),
    ]

  @Test(arguments: expected)
  func heads(
    name: String, input: ClassificationHead.Input, layers: Int, labels: Int, score: ScoreFunction?
  ) throws {
    let head = try #require(try Checkpoint(folder: Fixtures.folder("heads/\(name)")).head.head)
    #expect(head.input == input)
    let read = try head.layers().compactMap { layer in
      if case .dense(let dense) = layer { dense } else { nil }
    }
    #expect(read.count == layers)
    #expect(head.labels.count == labels)
    #expect(read.last?.outputs == labels)
    let numbers = read.reduce(0) { $0 + $1.weights.count + $1.bias.count }
    #expect(head.byteCount == 4 * numbers)
    #expect(head.scoreFunction == score)
  }

  @Test(arguments: [
    (#""2": "fear"#, #""3": "y", "2": "fear"#, "4 labels"),
    (#""BertForSequenceClassification""#, "", "names no class"),
    (#""BertForSequenceClassification""#, #""BertForMaskedLM""#, "BertForMaskedLM"),
    (#""BertForSequenceClassification""#, #""BertModel""#, "no classification head"),
  ])
  func folderWithoutAHead(old: String, new: String, word: String) throws {
    let folder = try folder("emotions", old, new)
    let finding = try Checkpoint(folder: folder.path).head
    #expect(finding.head == nil)
    #expect(finding.absence.contains(word), "\(finding.absence)")
  }

  @Test(arguments: [
    (#""0": "joy","#, #""7": "joy","#, "id2label"), (#""joy""#, "[1]", "id2label"),
    (#""is_decoder": false"#, #""problem_type": "other""#, "problem_type"),
    (
      #""is_decoder": false"#, #""sentence_transformers": {"activation_fn": "torch.nn.Tanh"}"#,
      "activation_fn"
    ),
    (#""is_decoder": false"#, #""sbert_ce_default_activation_function": "a.B""#, "activation_fn B"),
  ])
  func refusals(old: String, new: String, word: String) throws {
    let folder = try folder("emotions", old, new)
    #expect {
      try Checkpoint(folder: folder.path)
    } throws: {
      "\($0)".contains(word)
    }
  }

  @Test func labelsWithoutNames() throws {
    let text = String(
      decoding: try #require(try Fixtures.files("heads/emotions")["config.json"]), as: UTF8.self)
    let start = try #require(text.firstRange(of: "\"id2label\""))
    let end = try #require(text[start.lowerBound...].firstRange(of: "},"))
    let names = String(text[start.lowerBound..<end.upperBound])
    let folder = try folder("emotions", names, "\"num_labels\": 3,")
    #expect(
      try Checkpoint(folder: folder.path).head.head?.labels == ["LABEL_0", "LABEL_1", "LABEL_2"])
  }

  @Test func scoresOfAnyLogits() {
    #expect(ScoreFunction.sigmoid.probabilities(of: [0, 1000, -1000]) == [0.5, 1, 0])
    #expect(ScoreFunction.softmax.probabilities(of: [3e38, -3e38]) == [1, 0])
    #expect(ScoreFunction.softmax.probabilities(of: [-3e38, -3e38]) == [0.5, 0.5])
    #expect(ScoreFunction.softmax.probabilities(of: [7]) == [1])
  }
}
