import JSON
import TestSupport
import Testing
import UntrustedInput

@testable import Encoding
@testable import Protocols
@testable import Serving

@Suite struct InferRequestTests {
  private func request(
    _ json: String, _ blob: [UInt8] = [], headerLength: Int? = nil
  ) throws -> InferRequest {
    let header = Array(json.utf8)
    return try InferRequest(
      header + blob, headerLength: headerLength ?? (blob.isEmpty ? nil : header.count),
      limits: .test, model: "m")
  }

  private func texts(_ request: InferRequest) -> [String] {
    if case .texts(let texts)? = request.tensors.first?.elements { texts } else { [] }
  }

  private func integers(_ request: InferRequest) -> [Untrusted<Int64>] {
    if case .integers(let integers)? = request.tensors.first?.elements { integers } else { [] }
  }

  private func tensor(_ shape: String, _ type: String, _ rest: String) -> String {
    #"{"inputs": [{"name": "t", "shape": \#(shape), "datatype": "\#(type)", \#(rest)}]}"#
  }

  @Test func dataMayBeFlatOrNested() throws {
    #expect(texts(try request(tensor("[2]", "BYTES", #""data": ["a", "b"]"#))) == ["a", "b"])
    #expect(
      texts(try request(tensor("[2, 1]", "BYTES", #""data": [["a"], ["b"]]"#))) == ["a", "b"])
    #expect(
      integers(try request(tensor("[2, 2]", "INT64", #""data": [[1, 2], [3, -4]]"#)))
        == [1, 2, 3, -4])
  }

  @Test func binaryElements() throws {
    let bytes: [UInt8] = [2, 0, 0, 0, 0xC3, 0xA9, 0, 0, 0, 0]
    let size = #""parameters": {"binary_data_size": 10}"#
    #expect(texts(try request(tensor("[2]", "BYTES", size), bytes)) == ["é", ""])
    let four: [UInt8] = [1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]
    let eight = #""parameters": {"binary_data_size": 8}"#
    #expect(integers(try request(tensor("[2]", "INT32", eight), four)) == [1, -1])
    #expect(integers(try request(tensor("[1]", "INT64", eight), four)) == [-0xFFFF_FFFF])
  }

  @Test func outputsSayHowTheyAreWritten() throws {
    let given = try request(
      #"{"id": "r", "inputs": [], "parameters": {"binary_data_output": true}, "outputs": ["#
        + #"{"name": "a", "parameters": {"binary_data": false}}, {"name": "b"}]}"#)
    #expect(given.id == "r")
    #expect(given.isBinary)
    #expect(given.outputs.map(\.name) == ["a", "b"])
    #expect(given.outputs.map(\.isBinary) == [false, nil])
  }

  @Test func anEmptyHeaderMeansOneText() throws {
    let given = try InferRequest(
      Array("a fish".utf8), headerLength: 0, limits: .test, model: "m")
    #expect(texts(given) == ["a fish"])
    #expect(given.isBinary)
  }

  /// Whatever the lengths claim, there is an answer or an error.
  @Test func hostileLengths() throws {
    let seed = SeededGenerator.seed
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      let size = Int.random(in: 0...24, using: &generator)
      let blob = (0..<size).map { _ in UInt8.random(in: 0...3, using: &generator) }
      let claimed = Int.random(in: -1...30, using: &generator)
      let count = Int.random(in: 0...5, using: &generator)
      let type = ["BYTES", "INT32", "INT64", "FP32"].randomElement(using: &generator)!
      let json = tensor("[\(count)]", type, #""parameters": {"binary_data_size": \#(claimed)}"#)
      let header = Array(json.utf8)
      let length = header.count + Int.random(in: -1...1, using: &generator)
      do {
        let given = try InferRequest(
          header + blob, headerLength: length, limits: .test, model: "m")
        #expect(texts(given).count + integers(given).count == count, "seed \(seed)")
        #expect(claimed == size, "seed \(seed)")
      } catch {
        #expect(!error.message.isEmpty, "seed \(seed)")
      }
    }
  }
}
