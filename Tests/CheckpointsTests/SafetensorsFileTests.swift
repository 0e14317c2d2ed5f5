import TestSupport
import Testing

@testable import Checkpoints

struct SafetensorsFileTests {
  @Test func readsEveryElementType() throws {
    let folder = try TemporaryFolder()
    for type in ElementType.allCases {
      let size = type.size * 6
      let header = """
        {"x":{"dtype":"\(type.rawValue)","shape":[2,3],"data_offsets":[0,\(size)]}}
        """
      let path = try folder.write(
        safetensors(header, data: Array(repeating: 0, count: size)), to: type.rawValue)
      let tensor = try #require(try SafetensorsFile(path: path).tensors.first)
      #expect(tensor.name == "x")
      #expect(tensor.elementType == type)
      #expect(tensor.shape == [2, 3])
      #expect(tensor.count == 6)
    }
  }

  /// Scalars, empty tensors, metadata, white space, escapes, order: all as the format allows.
  @Test func readsUnusualButValidHeaders() throws {
    let folder = try TemporaryFolder()
    let header = """
      {"__metadata__":{"format":"pt","a \\"b\\"":"\\u00e9 {}"} ,
       "second":{"data_offsets":[4,6],"shape":[2,1],"dtype":"U8"},
       "empty":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},
       "sc\\u0061lar":{"dtype" : "F32", "shape" : [ ], "data_offsets" : [ 0 , 4 ] }}   \t\r\n
      """
    let path = try folder.write(safetensors(header, data: [0, 0, 0x80, 0x3f, 7, 8]), to: "x")
    let tensors = try SafetensorsFile(path: path).tensors
    #expect(tensors.map(\.name) == ["scalar", "empty", "second"])
    #expect(tensors.map(\.count) == [1, 0, 2])
    #expect(try tensors[0].floats() == [1])
    #expect(try tensors[1].floats() == [])
    let onlyMetadata = try folder.write(safetensors("{\"__metadata__\":{}}"), to: "y")
    #expect(try SafetensorsFile(path: onlyMetadata).tensors.isEmpty)
    let nothing = try folder.write(safetensors("{}"), to: "z")
    #expect(try SafetensorsFile(path: nothing).tensors.isEmpty)
  }

  struct Corruption: CustomTestStringConvertible {
    var header: String
    var dataSize = 4
    /// Part of the message.
    var message: String
    var tensor: String?
    /// From the start of the file, where it matters.
    var offset: Int?
    var testDescription: String { message }
  }

  static func tensor(_ fields: String) -> String { "{\"w\":{\(fields)}}" }

  @Test(arguments: [
    Corruption(header: "", message: "begins with {", offset: 8),
    Corruption(header: " {}", message: "begins with {", offset: 8),
    Corruption(header: "[]", message: "begins with {"),
    Corruption(header: "{", message: "ends too early", offset: 9),
    Corruption(header: "{}{}", message: "something follows", offset: 10),
    Corruption(header: "{}\0", message: "something follows"),
    Corruption(header: "{\"w\"", message: "ends too early"),
    Corruption(header: "{\"w", message: "ends too early"),
    Corruption(header: "{\"w\\", message: "ends too early"),
    Corruption(header: "{\"w\\x\":1}", message: "not a JSON escape"),
    Corruption(header: "{\"w\\ud800\":1}", message: "half of a surrogate pair"),
    Corruption(header: "{\"w\n\":1}", message: "control character"),
    Corruption(header: "{\"w\":1}", message: "{ is expected", tensor: "w", offset: 13),
    Corruption(header: "{\"w\":[[[[[[", message: "ends too early"),
    Corruption(
      header: "{\"w\":{\"dtype\":{\"a\":{}}}}", message: "a string is expected", tensor: "w"),
    Corruption(header: "{\"__metadata__\":{\"a\":{}}}", message: "a string is expected"),
    Corruption(header: "{\"__metadata__\":{},\"__metadata__\":{}}", message: "there twice"),
    Corruption(header: tensor(""), message: "are needed", tensor: "w"),
    Corruption(
      header: tensor("\"dtype\":\"F32\",\"shape\":[1]"), message: "are needed", tensor: "w"),
    Corruption(header: tensor("\"dtype\":\"F31\""), message: "\"F31\" is not known", tensor: "w"),
    Corruption(header: tensor("\"dtype\":7"), message: "a string is expected", tensor: "w"),
    Corruption(
      header: tensor("\"shape\":[1],\"shape\":[1]"), message: "\"shape\" is there twice",
      tensor: "w"),
    Corruption(header: tensor("\"extra\":1"), message: "\"extra\" is not a key", tensor: "w"),
    Corruption(header: tensor("\"shape\":[-1]"), message: "-1 is no integer from 0", tensor: "w"),
    Corruption(header: tensor("\"shape\":[01]"), message: "not a JSON number", tensor: "w"),
    Corruption(header: tensor("\"shape\":[1.0]"), message: "1.0 is no integer", tensor: "w"),
    Corruption(header: tensor("\"shape\":[1e2]"), message: "100.0 is no integer", tensor: "w"),
    Corruption(header: tensor("\"shape\":[1,]"), message: "a value is expected", tensor: "w"),
    Corruption(header: tensor("\"shape\":[null]"), message: "null is no integer", tensor: "w"),
    Corruption(
      header: tensor("\"shape\":[9223372036854775808]"),
      message: "9223372036854775808 is no integer", tensor: "w",
      offset: 8 + 14),
    Corruption(
      header: tensor("\"shape\":[1,1,1,1,1,1,1,1,1]"), message: "at most 8", tensor: "w"),
    Corruption(
      header: tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"),
      message: "begin ≤ end", tensor: "w"),
    Corruption(
      header: tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]"),
      message: "[begin, end]", tensor: "w"),
    Corruption(
      header: tensor("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"),
      message: "is the file cut short?", tensor: "w", offset: 13),
    Corruption(
      header: tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,9223372036854775807]"),
      message: "is the file cut short?", tensor: "w"),
    Corruption(
      header: tensor("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]"),
      message: "F32 [2] takes 8 bytes, has 4", tensor: "w"),
    Corruption(
      header: tensor(
        "\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]"),
      message: "overflows", tensor: "w"),
    Corruption(
      header: tensor("\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]"),
      message: "begins at 1, the one before it ends at 0", tensor: "w"),
    Corruption(
      header: tensor("\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]"),
      message: "1 bytes belong to no tensor"),
    Corruption(header: "{}", message: "4 bytes belong to no tensor", offset: 10),
    Corruption(
      header: """
        {"v":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},\
        "w":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}
        """, message: "begins at 2, the one before it ends at 3", tensor: "w"),
    Corruption(
      header: """
        {"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},\
        "w":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}
        """, message: "\"w\" is there twice"),
  ])
  func refusesCorruptHeader(_ corruption: Corruption) throws {
    let folder = try TemporaryFolder()
    let bytes = safetensors(
      corruption.header, data: Array(repeating: 0, count: corruption.dataSize))
    let path = try folder.write(bytes, to: "model.safetensors")
    let error = try #require(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
    guard case .malformed(path, let tensor, let offset, _) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.message.contains(corruption.message), "\(error)")
    #expect(error.message.contains(path))
    #expect(tensor == corruption.tensor)
    #expect(corruption.offset == nil || offset == corruption.offset, "\(error)")
    #expect((0...bytes.count).contains(offset))
  }

  @Test func refusesWrongLengths() throws {
    let folder = try TemporaryFolder()
    for length: UInt64 in [3, 1 << 32, 1 << 63, .max] {
      let path = try folder.write(littleEndianBytes(length) + "{}".utf8, to: "\(length)")
      let error = try #require(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
      #expect(error.message.contains("a header of \(length) bytes in a file of 10"))
    }
    for size in 1..<8 {
      let path = try folder.write(Array(repeating: 0, count: size), to: "short\(size)")
      let error = try #require(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
      #expect(error.message.contains("no safetensors file"))
    }
    let notUTF8 = littleEndianBytes(UInt64(9)) + "{\"w".utf8 + [0xff] + "\":{}}".utf8
    let path = try folder.write(notUTF8, to: "utf8")
    let error = try #require(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
    #expect(error.message.contains("not UTF-8"))
  }

  @Test func limitsTheNumberOfTensors() throws {
    let folder = try TemporaryFolder()
    func header(_ count: Int) -> String {
      let entries = (0..<count).map {
        "\"\($0)\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"
      }
      return "{\(entries.joined(separator: ","))}"
    }
    let limit = SafetensorsHeader.maximumEntryCount
    let path = try folder.write(safetensors(header(limit)), to: "most")
    #expect(try SafetensorsFile(path: path).tensors.count == limit)
    let over = try folder.write(safetensors(header(limit + 1)), to: "over")
    let error = try #require(throws: CheckpointError.self) { try SafetensorsFile(path: over) }
    #expect(error.message.contains("more than \(limit) tensors"))
  }

  /// A whole file is read, or refused with an error: never a crash.
  @Test func survivesMutations() throws {
    let folder = try TemporaryFolder()
    let header = """
      {"__metadata__":{"format":"pt"},\
      "bert.a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},\
      "b":{"dtype":"F16","shape":[3],"data_offsets":[16,22]},\
      "c":{"dtype":"I64","shape":[],"data_offsets":[22,30]}}
      """
    let original = safetensors(header, data: Array(1...30))
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    let tokens = [
      "{", "}", "[", "]", "\"", "\\", ",", ":", "-1", "1e9", "9223372036854775807", "0",
      "\"dtype\"", "\"shape\"", "\"data_offsets\"", "F64", "\u{0}", "é",
    ].map { Array($0.utf8) }
    var opened = 0
    for round in 0..<20_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let position = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2 where bytes.count > 1: bytes.remove(at: position)
        case 3: bytes.insert(contentsOf: tokens.randomElement(using: &generator)!, at: position)
        default: bytes.removeLast(min(bytes.count - 1, position))
        }
        // Half of the time the length stays right, so that the header itself is tried.
        if bytes.count > 40, Bool.random(using: &generator) {
          bytes.replaceSubrange(0..<8, with: littleEndianBytes(UInt64(bytes.count - 38)))
        }
      }
      do {
        // The rules need no file: one round in ten goes through one all the same.
        if round % 10 == 0 {
          let path = try folder.write(bytes, to: "fuzz")
          for tensor in try SafetensorsFile(path: path).tensors where tensor.elementType.isFloat {
            #expect(try tensor.floats().count == tensor.shape.reduce(1, *))
          }
        } else {
          let dataSize = min(30, max(0, bytes.count - 8))
          let text = Array(bytes.dropFirst(8).dropLast(dataSize))
          let entries = try SafetensorsHeader.entries(
            of: text, path: "fuzz", start: 8, dataSize: dataSize)
          let size = entries.reduce(0) { $0 + $1.dataOffsets.count }
          if size != dataSize { Issue.record("seed \(seed), round \(round): \(size) bytes") }
        }
        opened += 1
      } catch let error as CheckpointError {
        if !error.message.contains("fuzz") {
          Issue.record("seed \(seed), round \(round): \(error)")
        }
      }
    }
    #expect(opened > 0, "seed \(seed): some mutations only change data")
  }
}
