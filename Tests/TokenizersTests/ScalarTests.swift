import EncoderContract
import Testing
import Tokenizers

/// The texts of scalars.py: every scalar of planes 0 and 1, and some of the rest.
@Suite struct ScalarTests {
  struct Row: Decodable {
    var options: String
    var hashes: [String]
  }

  @Test(arguments: ["1n11", "0n11", "1001"]) func asHuggingFace(_ options: String) throws {
    let rows: [Row] = try Support.fixture("scalars")
    let row = try #require(rows.first { $0.options == options })
    try Self.expect(row.hashes, of: Support.tokenizer(options))
  }

  /// A hash that differs tells which scalars to ask about: 4096 of them, from the first one on.
  static func expect(_ hashes: [String], of tokenizer: Tokenizer) throws {
    let scalars = (0..<0x11_0000 as Range<UInt32>).compactMap { value in
      value < 0x2_0000 || value % 97 == 0 ? Unicode.Scalar(value) : nil
    }
    let starts = stride(from: 0, to: scalars.count, by: 4096)
    #expect(hashes.count == starts.underestimatedCount)
    for (start, hash) in zip(starts, hashes) {
      let part = scalars[start..<min(start + 4096, scalars.count)]
      #expect(try Self.hash(of: part, tokenizer) == hash, "from \(scalars[start].value)")
    }
  }

  private static func hash(
    of scalars: ArraySlice<Unicode.Scalar>, _ tokenizer: Tokenizer
  ) throws -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for start in stride(from: scalars.startIndex, to: scalars.endIndex, by: 256) {
      let text = scalars[start..<min(start + 256, scalars.endIndex)]
        .map { "a\(Character($0))b \(Character($0))" }.joined(separator: " ")
      let answer = try tokenizer.tokenize(.single(text), maxTokens: .max)
      for id in answer.sequence.ids.dropFirst().dropLast() {
        hash = (hash ^ UInt64(id)) &* 0x100_0000_01B3
      }
    }
    return String(hash, radix: 16)
  }
}
