import BERT
import Checkpoints
import EncoderContract
import Foundation
import TestSupport
import Testing

/// Whole passes of small models against the same graph in double precision.
struct EncoderTests {
  static let sets = KernelChoice.all
  /// Largest difference allowed: layer norms keep values near 1, and each of up to three blocks
  /// of these wide weights adds some 1e-6 of float32's rounding.
  static func tolerance(_ precision: Encoder.Precision) -> Double {
    switch precision {
    case .float32: 3e-5
    case .bfloat16: 0.1
    case .int8: 0.3
    }
  }

  static func modules(
    _ pooling: Pooling = .mean, normalizes: Bool = true
  ) throws -> SentenceModules {
    let folder = FileManager.default.temporaryDirectory.appending(
      component: "bert-modules-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let name: [Pooling: String] = [
      .cls: "cls", .mean: "mean", .max: "max", .meanSqrtLength: "mean_sqrt_len_tokens",
      .weightedMean: "weightedmean", .lastToken: "lasttoken",
    ]
    try FileManager.default.createDirectory(
      at: folder.appending(component: "1_Pooling"), withIntermediateDirectories: true)
    let type = "sentence_transformers.models"
    let last = normalizes ? ", {\"type\": \"\(type).Normalize\", \"path\": \"2_Normalize\"}" : ""
    try Data(
      """
      [{"type": "\(type).Transformer", "path": ""},
       {"type": "\(type).Pooling", "path": "1_Pooling"}\(last)]
      """.utf8
    ).write(to: folder.appending(component: "modules.json"))
    try Data("{\"pooling_mode\": \"\(name[pooling]!)\"}".utf8)
      .write(to: folder.appending(component: "1_Pooling/config.json"))
    return try #require(try SentenceModules.read(folder: folder.path))
  }

  /// Every kernel set of every precision against one reference.
  func check(
    _ model: TestModel, _ choices: [KernelChoice] = sets,
    pooling: Pooling = .mean, normalizes: Bool = true,
    lengths: [Int] = [1, 2, 13, 31, 33, 64]
  ) throws {
    var random = SeededGenerator(seed: 11)
    let modules = try Self.modules(pooling, normalizes: normalizes)
    let reference = Reference(model.configuration, model.weights)
    var batch = PackedBatch()
    var sequences: [TokenSequence] = []
    for length in lengths {
      for attended in Set([length, (length + 1) / 2]) {
        sequences.append(TestModel.sequence(length, attended: attended, &random))
      }
    }
    let all = OutputSelection(
      model.kind.vectors, blocks: BlockSet(0..<model.configuration.blockCount))
    for sequence in sequences { batch.append(sequence, for: all) }
    let expected = sequences.map(reference.blocks)
    for choice in choices {
      let encoder = try model.encoder(choice, threads: ComputeThreads(count: 2), sentence: modules)
      let tolerance = Self.tolerance(choice.precision)
      let results = try encoder.encodeAndWait(batch)
      #expect(results.count == sequences.count)
      for ((sequence, expected), result) in zip(zip(sequences, expected), results) {
        #expect(result.rowCount == sequence.count)
        for (index, rows) in expected.enumerated() {
          let values = rows.flatMap { $0 }
          let error = largestDifference(result.blocks[index] ?? [], values)
          // Without a norm after them, values grow from block to block.
          let size = max(1, values.reduce(0) { max($0, abs($1)) } / 4)
          #expect(error < tolerance * size, "\(choice), block \(index) of \(sequence.count) tokens")
        }
        if model.kind.vectors.contains(.pooledOutput) {
          let pooled = largestDifference(result[.pooledOutput], reference.pooled(expected.last!))
          #expect(pooled < tolerance, "\(choice)")
        }
        let sentence = reference.sentence(expected.last!, sequence.attendedCount, modules)
        #expect(
          largestDifference(result[.sentenceEmbedding], sentence) < 4 * tolerance, "\(choice)")
      }
    }
  }

  @Test func matchesReference() throws {
    try check(TestModel())
  }

  @Test(arguments: ModelKind.allCases)
  func kinds(_ kind: ModelKind) throws {
    let model = try TestModel(kind, hiddenSize: 60, intermediateSize: 70)
    var found = model.checkpoint.configuration
    found.modelType = model.configuration.modelType
    found.padTokenID = model.configuration.padTokenID
    #expect(found == model.configuration)
    try check(model, lengths: [1, 2, 31, 33, 96])
  }

  @Test(arguments: ModelConfiguration.Activation.allCases)
  func activations(_ activation: ModelConfiguration.Activation) throws {
    try check(TestModel(activation: activation), lengths: [20])
  }

  /// Head sizes that are no power of two, widths that fill no panel, one block, one head.
  @Test(
    arguments: [
      (20, 4, 17, 2), (21, 3, 50, 1), (64, 1, 64, 2), (40, 2, 96, 1), (7, 7, 3, 2), (96, 2, 33, 1),
    ])
  func shapes(_ shape: (Int, Int, Int, Int)) throws {
    let model = try TestModel(
      hiddenSize: shape.0, headCount: shape.1, intermediateSize: shape.2, blockCount: shape.3)
    try check(model, lengths: [5, 40])
  }

  @Test(arguments: Pooling.allCases, [false, true])
  func sentences(_ pooling: Pooling, _ normalizes: Bool) throws {
    try check(
      TestModel(), [Self.sets[0]], pooling: pooling, normalizes: normalizes, lengths: [1, 9, 30])
  }

  /// What is asked for decides what is computed, never what comes out.
  @Test(
    arguments: sets,
    [
      ModelKind.bert, .mpnet, .electra, .albert, .modernbert, .eurobert, .deberta,
      .debertaOwnLayers, .debertaConvolution, .jina,
    ])
  func selectionsChangeNoBit(_ choice: KernelChoice, _ kind: ModelKind) throws {
    let model = try TestModel(kind, blockCount: 4)
    var random = SeededGenerator(seed: 12)
    for pooling in [Pooling.mean, .cls] {
      for threadCount in 1...2 {
        let encoder = try model.encoder(
          choice, threads: ComputeThreads(count: threadCount), sentence: Self.modules(pooling))
        var selections: [OutputSelection] = []
        for blocks in 0..<16 {
          let set = BlockSet((0..<4).filter { blocks >> $0 & 1 == 1 })
          for keys in [[], [kind.vectors[0]], [.sentenceEmbedding], kind.vectors] {
            selections.append(OutputSelection(keys, blocks: set))
          }
        }
        selections.shuffle(using: &random)
        let sequences = selections.map { _ in
          let length = Int.random(in: 1...40, using: &random)
          let attended = Int.random(in: 1...length, using: &random)
          return TestModel.sequence(length, attended: attended, &random)
        }
        var everything = PackedBatch()
        var mixed = PackedBatch()
        let all = OutputSelection(kind.vectors, blocks: BlockSet(0..<4))
        for (sequence, selection) in zip(sequences, selections) {
          everything.append(sequence, for: all)
          mixed.append(sequence, for: selection)
        }
        let full = try encoder.encodeAndWait(everything)
        let together = try encoder.encodeAndWait(mixed)
        for index in sequences.indices {
          var alone = PackedBatch()
          alone.append(sequences[index], for: selections[index])
          let single = try encoder.encodeAndWait(alone)[0]
          Self.expectPart(together[index], of: full[index], selections[index])
          Self.expectPart(single, of: full[index], selections[index])
        }
      }
    }
  }

  static let vectors = [OutputKey.pooledOutput, .sentenceEmbedding]

  static func expectPart(
    _ part: EncodedSequence, of full: EncodedSequence, _ selection: OutputSelection
  ) {
    #expect(part.rowCount == full.rowCount)
    for key in vectors {
      #expect(isIdentical(part[key], selection.contains(key) ? full[key] : []), "\(selection)")
    }
    #expect(part.blocks.count == selection.blocks.count)
    for (index, values) in part.blocks {
      #expect(isIdentical(values, full.blocks[index] ?? []), "block \(index), \(selection)")
    }
  }

  @Test func refuses() throws {
    let model = try TestModel(hasPooler: false)
    let encoder = try model.encoder(
      Self.sets.last!, threads: ComputeThreads(count: 2), maxBatchRows: 100)
    #expect(encoder.info.keys == [.sequenceOutput, .encoderOutputs])
    func refused(
      _ ids: [Int32], types: [Int32]? = nil, _ selection: OutputSelection, _ word: String
    ) {
      var batch = PackedBatch()
      batch.append(
        TokenSequence(ids: ids, typeIDs: types ?? ids.map { _ in 0 }), for: selection)
      #expect {
        try encoder.encodeAndWait(batch)
      } throws: { error in
        guard case .unsupported(let message) = error as? EncodeError else { return false }
        return message.contains(word)
      }
    }
    let last = OutputSelection(blocks: BlockSet([2]))
    refused([1, 50], last, "token ids")
    refused([-1], last, "token ids")
    refused([1], types: [2], last, "token types")
    refused(Array(repeating: 1, count: 97), last, "96 tokens")
    refused(Array(repeating: 1, count: 101), last, "100 tokens")
    refused([1], OutputSelection(blocks: BlockSet([3])), "3 blocks")
    refused([1], OutputSelection([.pooledOutput]), "pooler")
    refused([1], OutputSelection([.sentenceEmbedding]), "sentence-transformers")
    var none = PackedBatch()
    #expect(try encoder.encodeAndWait(none).isEmpty)
    none.append(TokenSequence(ids: [1, 2], typeIDs: [0, 0]), for: OutputSelection())
    #expect(try encoder.encodeAndWait(none).map(\.rowCount) == [2])
    for precision in Encoder.Precision.allCases {
      let available = Encoder.availableKernelSets(for: precision)
      #expect(throws: BERTError.kernels(name: "mmx", precision, available: available)) {
        try model.encoder(
          KernelChoice(precision: precision, kernelSet: "mmx"), threads: ComputeThreads(count: 1))
      }
    }
  }

  @Test(arguments: Encoder.Precision.allCases)
  func aMemoryLimitIsKept(_ precision: Encoder.Precision) throws {
    let model = try TestModel()
    func encoder(limit: Int) throws -> Encoder {
      try Encoder(
        model.checkpoint, threads: ComputeThreads(count: 2), precision: precision,
        maxBatchRows: 100,
        memoryLimit: limit)
    }
    let needed = try encoder(limit: .max).memoryBytes
    #expect(try encoder(limit: needed).weightBytes < needed)
    for limit in [0, needed - 1] {
      #expect(throws: BERTError.memoryLimit(needed: needed, limit: limit)) {
        try encoder(limit: limit)
      }
    }
  }

  @Test(arguments: sets)
  func notFinite(_ choice: KernelChoice) throws {
    for broken in [Float.nan, .infinity, 3e38] {
      let model = try TestModel { weights in
        weights["encoder.layer.1.output.dense.weight"]![7] = broken
        weights["encoder.layer.1.output.dense.weight"]![8] = broken
      }
      let encoder = try model.encoder(
        choice, threads: ComputeThreads(count: 2), sentence: Self.modules())
      func encode(_ selection: OutputSelection) throws -> [EncodedSequence] {
        var random = SeededGenerator(seed: 13)
        var batch = PackedBatch()
        for _ in 0..<3 { batch.append(TestModel.sequence(9, &random), for: selection) }
        return try encoder.encodeAndWait(batch)
      }
      // The block before the broken weight is sound.
      #expect(try encode(OutputSelection(blocks: BlockSet([0]))).count == 3)
      func expectFailure(_ selection: OutputSelection, _ key: OutputKey) {
        #expect(throws: Never.self) {
          let failures = try encode(selection).map(\.failure)
          #expect(failures == Array(repeating: .notFinite(key: key), count: 3), "\(broken)")
        }
      }
      expectFailure(OutputSelection(blocks: BlockSet([1])), .encoderOutputs)
      expectFailure(OutputSelection(blocks: BlockSet([2])), .sequenceOutput)
      expectFailure(OutputSelection([.pooledOutput]), .pooledOutput)
      expectFailure(OutputSelection([.sentenceEmbedding]), .sentenceEmbedding)
    }
  }
}
