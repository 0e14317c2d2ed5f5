import JSON
import Testing

@testable import Checkpoints

/// Names in files: two that differ are never taken for one, and none costs more than its length.
struct HostileNameTests {
  /// Twice the same letter for `String`, and other bytes.
  private static let composed = "\u{c5}"
  private static let decomposed = "A\u{30a}"
  /// Combining marks out of their order, which `String` sorts in quadratic time.
  private static let marks = String(repeating: "\u{301}\u{316}", count: 300_000)

  private func message(_ body: () throws -> Void) throws -> String {
    try #require(throws: CheckpointError.self, performing: body).message
  }

  // MARK: JSON

  @Test func keysOfSettingsAreShort() throws {
    for json in ["{\"\(Self.marks)\": 1}", "{\"a\": [{\"\(Self.marks)\" : 1}]}"] {
      let text = try message { _ = try JSONFile(path: "x.json", bytes: Array(json.utf8)) }
      #expect(text.contains("a name of 1200000 bytes"), "\(text)")
    }
    // Quotes and colons that are part of a string, and long strings that are no keys.
    let long = String(repeating: ": ", count: 1000)
    let json = "{\"a\\\"\": \"\(long)\", \"\\\\\": \"\(long)\\\"\(long)\"}"
    #expect(try JSONFile(path: "x.json", bytes: Array(json.utf8)).keys == ["\\", "a\""])
  }

  @Test func settingsAreUTF8() throws {
    let json = Array("{\"a\": 1}".utf8).flatMap { byte -> [UInt8] in [byte, 0] }
    let text = try message { _ = try JSONFile(path: "x.json", bytes: json) }
    #expect(text.contains("not JSON in UTF-8"), "\(text)")
  }

  @Test func valuesOfSettingsAreComparedByteByByte() throws {
    #expect(JSONValue.string(Self.composed) != .string(Self.decomposed))
    let json = "{\"hidden_act\": \"gelu\(Self.marks.prefix(200))\", \"a\": \"\(Self.marks)\"}"
    let file = try JSONFile(path: "x.json", bytes: Array(json.utf8))
    let text = try message { _ = try file.string("hidden_act") }
    #expect(text.contains("a string of at most 512 bytes"), "\(text)")
    #expect(try message { _ = try file.string("a") }.contains("a string of at most 512 bytes"))
  }

  // MARK: Safetensors

  @Test func namesOfSafetensorsAreShortAndASCII() throws {
    let folder = try TemporaryFolder()
    func refusal(_ header: String) throws -> String {
      let path = try folder.write(safetensors(header), to: "x")
      return try message { _ = try SafetensorsFile(path: path) }
    }
    func entry(_ name: String) -> String {
      "\"\(name)\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}"
    }
    let accent = try refusal("{\(entry(Self.composed)),\(entry(Self.decomposed))}")
    #expect(accent.contains("the name \"\(Self.composed)\" is not ASCII"), "\(accent)")
    #expect(try refusal("{\(entry("\\u00c5"))}").contains("is not ASCII"))
    let long = try refusal("{\(entry(Self.marks))}")
    #expect(long.contains("a name of 1200000 bytes"), "\(long)")
    let type = try refusal("{\"a\":{\"dtype\":\"\(Self.marks)\"}}")
    #expect(type.contains("…\" is not known"), "\(type)")
    // What nobody compares may be long.
    let path = try folder.write(
      safetensors("{\"__metadata__\":{\"\(Self.composed)\":\"\(Self.marks)\"}}"), to: "x")
    #expect(try SafetensorsFile(path: path).tensors.isEmpty)
  }

  // MARK: TensorFlow

  /// A LevelDB table of one block, without checksums.
  private func table(_ entries: [(key: String, value: [UInt8])]) -> FileBytes {
    func varint(_ number: Int) -> [UInt8] {
      number < 0x80 ? [UInt8(number)] : [UInt8(number & 0x7f) | 0x80] + varint(number >> 7)
    }
    func block(_ entries: [(key: [UInt8], value: [UInt8])]) -> [UInt8] {
      var bytes: [UInt8] = []
      for (key, value) in entries {
        bytes += [[0], varint(key.count), varint(value.count), key, value].joined()
      }
      return bytes + littleEndianBytes(UInt32(0)) + littleEndianBytes(UInt32(1))
    }
    let data = block(entries.map { (Array($0.key.utf8), $0.value) })
    let trailer = [UInt8](repeating: 0, count: 5)
    let index = block([([], varint(0) + varint(data.count))])
    let handle = varint(data.count + 5) + varint(index.count)
    var footer = varint(0) + varint(0) + handle
    footer += [UInt8](repeating: 0, count: 40 - footer.count)
    return FileBytes(
      path: "x.index", start: 0,
      bytes: data + trailer + index + trailer + footer
        + littleEndianBytes(0xdb47_7524_8b80_fb57 as UInt64))
  }

  @Test func keysOfCheckpointsAreASCII() throws {
    let good = table([("", []), ("a", [1]), ("b", [2, 3])])
    let entries = try SortedTable.entries(of: good, verifiesChecksums: false)
    #expect(entries.map(\.key) == ["", "a", "b"])
    #expect(entries.map(\.value.count) == [0, 1, 2])
    let bad = table([("", []), (Self.decomposed, [1]), (Self.composed, [2])])
    let text = try message { _ = try SortedTable.entries(of: bad, verifiesChecksums: false) }
    #expect(text.contains("the key \"\(Self.decomposed)\" is not ASCII"), "\(text)")
  }

  @Test(arguments: ["w\u{f6}d_embeddings/embeddings", "w\u{f6}dpiece"])
  func namesOfGraphsAreASCII(_ name: String) throws {
    let folder = try Fixtures.copy("micro/saved_model")
    var bytes = try #require(try Fixtures.files("micro/saved_model")["saved_model.pb"])
    let old = Array("word_embeddings/embeddings".utf8)
    let range = try #require(bytes.firstRange(of: old))
    bytes.replaceSubrange(range, with: Array(name.utf8) + old.dropFirst(name.utf8.count))
    try folder.write(bytes, to: "saved_model.pb")
    let text = try message { _ = try Checkpoint(folder: folder.path) }
    #expect(text.contains("is not ASCII"), "\(text)")
  }

  @Test func namesOfGraphsAreShort() throws {
    let folder = try TemporaryFolder()
    // An object with a child of that name: SavedModel.meta_graphs, object_graph_def, nodes, children.
    func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
      var size = content.count
      var bytes = [number << 3 | 2]
      while size >= 0x80 {
        bytes.append(UInt8(size & 0x7f) | 0x80)
        size >>= 7
      }
      return bytes + [UInt8(size)] + content
    }
    let graph = field(2, field(7, field(1, field(1, field(2, Array(repeating: 0x61, count: 513))))))
    let path = try folder.write(graph, to: "saved_model.pb")
    let text = try message { _ = try SavedModelGraph(path: path) }
    #expect(text.contains("a name of 513 bytes, the most are 512"), "\(text)")
  }

  /// In time that does not grow with the square of the slashes.
  @Test func variablesMayHaveManySlashes() {
    let slashes = String(repeating: "/", count: 200_000)
    #expect(TensorFlowVariable(slashes, shape: [2]) == nil)
    let name = "\(slashes)transformer/layer_7/self_attention/attention_output/bias"
    #expect(
      TensorFlowVariable(name, shape: [2])?.name == "encoder.layer.7.attention.output.dense.bias")
  }

  // MARK: PyTorch

  @Test func keysOfStateDictionariesAreASCII() throws {
    let folder = try Fixtures.copy("micro/pytorch/legacy")
    var bytes = try #require(try Fixtures.files("micro/pytorch/legacy")["pytorch_model.bin"])
    let range = try #require(bytes.firstRange(of: Array("word_embeddings.weight".utf8)))
    bytes.replaceSubrange(range, with: Array("w\u{f6}d_embeddings.weight".utf8))
    try folder.write(bytes, to: "pytorch_model.bin")
    let text = try message { _ = try Checkpoint(folder: folder.path) }
    #expect(text.contains("w\u{f6}d_embeddings.weight\" is not ASCII"), "\(text)")
  }

  /// A zip file with these members, stored, without checksums.
  private func zip(_ members: [(name: String, content: [UInt8])]) -> [UInt8] {
    func number(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for (name, content) in members {
      let sizes = number(0, 4) + number(content.count, 4) + number(content.count, 4)
      let lengths = number(name.utf8.count, 2) + number(0, 2)
      directory += number(0x0201_4b50, 4) + number(0, 12) + sizes + lengths + number(0, 10)
      directory += number(bytes.count, 4) + Array(name.utf8)
      bytes += number(0x0403_4b50, 4) + number(0, 10) + sizes + lengths + Array(name.utf8) + content
    }
    let end = number(members.count, 2) + number(directory.count, 4) + number(bytes.count, 4)
    return bytes + directory + number(0x0605_4b50, 4) + number(0, 4) + number(members.count, 2)
      + end
      + number(0, 2)
  }

  /// The members of a fixture, and others.
  private func checkpoint(with others: [(name: String, content: [UInt8])]) throws -> Checkpoint {
    let file = try ModelFile(path: Fixtures.folder("micro/pytorch/bin/pytorch_model.bin"))
    var members: [(name: String, content: [UInt8])] = others
    for (name, member) in try ZipArchive(file).members {
      members.append((name, try file.bytes(member.content).bytes))
    }
    let folder = try Fixtures.copy("micro/pytorch/bin")
    try folder.write(zip(members), to: "pytorch_model.bin")
    return try Checkpoint(folder: folder.path)
  }

  /// One of them would be read, in one run this, in another run that.
  @Test func twoStateDictionariesInAFileAreRefused() throws {
    #expect(try checkpoint(with: []).tensorNames.count > 10)
    let text = try message { _ = try checkpoint(with: [("other/data.pkl", [0x2e])]) }
    #expect(text.contains("has one data.pkl, this one has 2"), "\(text)")
  }

  @Test func namesOfMembersAreShortAndASCII() throws {
    let long = try message { _ = try checkpoint(with: [(String(repeating: "a", count: 513), [1])]) }
    #expect(long.contains("a name of 513 bytes, the most are 512"), "\(long)")
    let accent = try message {
      _ = try checkpoint(with: [(Self.composed, [1]), (Self.decomposed, [1])])
    }
    #expect(accent.contains("is not ASCII"), "\(accent)")
  }
}
