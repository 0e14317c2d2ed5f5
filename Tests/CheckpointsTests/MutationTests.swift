import FoundationEssentials
import TestSupport
import Testing

@testable import Checkpoints

/// Every format's smallest model, its bytes changed at random: each attempt ends in a model or in
/// an error, and never in a crash.
///
/// `CHECKPOINT_MUTATIONS=300000` makes more of them, `BERT_TEST_SEED` others.
struct MutationTests {
  static let count =
    ProcessInfo.processInfo.environment["CHECKPOINT_MUTATIONS"].flatMap { Int($0) } ?? 10_800
  static let models = [
    "saved_model", "original", "pytorch/weights", "pytorch/bin", "pytorch/legacy",
    "pytorch/sharded", "pytorch/sharded_bin", "pytorch/distilbert", "pytorch/roberta",
  ]

  @Test(arguments: models)
  func noMutationCrashes(_ model: String) throws {
    let share = Self.count / Self.models.count
    var random = SeededGenerator(seed: SeededGenerator.seed)
    let files = try Fixtures.files("micro/\(model)").sorted { $0.key < $1.key }
      .filter { !$0.key.hasSuffix(".txt") }
    let folder = try Fixtures.copy("micro/\(model)", isInMemory: true)
    var opened = 0
    for attempt in 0..<share {
      let (name, bytes) = files[Int.random(in: 0..<files.count, using: &random)]
      let mutated = Self.mutate(bytes, &random)
      try folder.overwrite(name, with: mutated)
      do {
        // Behind a checksum there is more to break.
        let checkpoint = try Checkpoint(
          folder: folder.path, verifiesChecksums: Bool.random(using: &random))
        try Self.readEverything(checkpoint)
        opened += 1
      } catch let error as CheckpointError {
        #expect(
          error.message.hasPrefix(folder.path),
          "seed \(SeededGenerator.seed), \(model), attempt \(attempt): \(error.message)")
      }
      try folder.overwrite(name, with: bytes)
    }
    // Whoever refuses everything passes any such test.
    #expect(opened > share / 200, "seed \(SeededGenerator.seed): \(opened) of \(share) opened")
    try Self.readEverything(Checkpoint(folder: folder.path))
  }

  private static func readEverything(_ checkpoint: Checkpoint) throws {
    for name in checkpoint.tensorNames {
      guard let tensor = checkpoint.tensor(name), tensor.elementType.isFloat else { continue }
      let sum = try tensor.floats().reduce(0, +)
      #expect(sum.isNaN || sum <= .infinity)
    }
    let configuration = checkpoint.configuration
    // A claim of many blocks is not what is tested here.
    guard configuration.blockCount <= 2 else { return }
    _ = try checkpoint.tensors(
      BERTShapes.required(configuration), optional: [BERTShapes.pooler(configuration)])
  }

  /// One to four changes, of the kinds that break readers.
  private static func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let length = min(Int.random(in: 1...16, using: &random), bytes.count - place)
      switch Int.random(in: 0..<9, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 2: bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
      case 3:
        let value: [UInt64] = [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 40, 1 << 62, .max, .max - 7]
        let wanted = littleEndianBytes(value.randomElement(using: &random) ?? 0)
        for index in 0..<min(length, 8) { bytes[place + index] = wanted[index] }
      case 4: bytes.removeSubrange(place...)
      case 5: bytes.removeSubrange(place..<place + length)
      case 6: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
      case 7:
        let other = Int.random(in: 0...bytes.count - length, using: &random)
        for index in 0..<length { bytes[place + index] = bytes[other + index] }
      default:
        // Digits and varints: one more, one less.
        bytes[place] &+= Bool.random(using: &random) ? 1 : 255
      }
    }
    return bytes
  }
}
