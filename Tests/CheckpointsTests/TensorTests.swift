import Foundation
import Testing

@testable import Checkpoints

struct TensorTests {
  /// One tensor of a file whose data begins at an odd place.
  private func misaligned(
    _ type: ElementType, _ values: [UInt8], in folder: TemporaryFolder
  ) throws -> Tensor {
    let count = values.count / type.size
    var header = """
      {"w":{"dtype":"\(type.rawValue)","shape":[\(count)],"data_offsets":[0,\(values.count)]}}
      """
    while header.utf8.count % 8 != 1 { header += " " }
    let path = try folder.write(safetensors(header, data: values), to: type.rawValue)
    return try #require(try SafetensorsFile(path: path).tensors.first)
  }

  @Test func misalignedFloat32IsRead() throws {
    let folder = try TemporaryFolder()
    let values: [Float] = [
      0, -0.0, 1.5, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .infinity,
    ]
    let tensor = try misaligned(
      .float32, values.flatMap { littleEndianBytes($0.bitPattern) }, in: folder)
    #expect(try tensor.floats().map(\.bitPattern) == values.map(\.bitPattern))
  }

  /// Every float16 by the definition: (-1)^s · 2^(e - 15) · 1.f, or 2^-14 · 0.f where e is 0.
  @Test func everyFloat16ConvertsExactly() throws {
    let folder = try TemporaryFolder()
    let all = (0...UInt16.max).flatMap { littleEndianBytes($0) }
    let tensor = try misaligned(.float16, all, in: folder)
    let floats = try tensor.floats()
    for (index, value) in floats.enumerated() {
      let exponent = index >> 10 & 31
      let fraction = Double(index & 1023) / 1024
      let sign: Double = index >> 15 == 1 ? -1 : 1
      if exponent == 31 {
        #expect(fraction == 0 ? Double(value) == sign * .infinity : value.isNaN)
        continue
      }
      var expected = sign * (exponent == 0 ? fraction * 0x1p-14 : 1 + fraction)
      for _ in 0..<abs(exponent == 0 ? 0 : exponent - 15) { expected *= exponent > 15 ? 2 : 0.5 }
      #expect(Double(value) == expected, "\(index)")
      #expect(value.sign == (sign < 0 ? .minus : .plus))
    }
  }

  @Test func bfloat16AndFloat64Convert() throws {
    let folder = try TemporaryFolder()
    let bits: [UInt16] = [0x3f80, 0xc000, 0x0001, 0x7f80, 0x4049]
    let bfloat16 = try misaligned(.bfloat16, bits.flatMap { littleEndianBytes($0) }, in: folder)
    let wide = try bfloat16.floats().map(\.bitPattern)
    #expect(wide == bits.map { UInt32($0) << 16 })
    let doubles = [0.1, -1e300, 1e-300, 3.5]
    let float64 = try misaligned(
      .float64, doubles.flatMap { littleEndianBytes($0.bitPattern) }, in: folder)
    #expect(try float64.floats() == [0.1, -.infinity, 0, 3.5])
  }

  @Test func memoryTensorHoldsItsValues() throws {
    let tensor = Tensor(name: "w", shape: [2, 2], floats: [1, 2, 3, 4])
    #expect(tensor.count == 4)
    #expect(try tensor.floats() == [1, 2, 3, 4])
    let empty = Tensor(name: "e", shape: [0, 9], floats: [])
    #expect(try empty.floats() == [])
  }

  /// More than a chunk of the file at once, by rows and by columns.
  @Test(arguments: [false, true])
  func largeTensorsAreReadInChunks(_ isTransposed: Bool) throws {
    let folder = try TemporaryFolder()
    let (rows, columns) = (257, 2_049)
    let values = (0..<rows * columns).map { UInt16(truncatingIfNeeded: $0 % 0x7c00) }
    let path = try folder.write([7] + values.flatMap { littleEndianBytes($0) }, to: "x")
    let tensor = Tensor(
      name: "w", elementType: .float16, shape: [rows, columns], file: try ModelFile(path: path),
      range: 1..<1 + 2 * values.count, isTransposed: isTransposed)
    let floats = try tensor.floats()
    var expected = floats
    for row in 0..<rows {
      for column in 0..<columns {
        let place = isTransposed ? column * rows + row : row * columns + column
        expected[row * columns + column] = Tensor.float(fromFloat16: values[place])
      }
    }
    #expect(floats == expected)
  }

  /// The file stays open as long as a tensor of it lives.
  @Test func tensorOutlivesItsFileAndFolder() throws {
    var folder: TemporaryFolder? = try TemporaryFolder()
    let tensor = try misaligned(.float16, [0, 0x3c, 0, 0x40], in: try #require(folder))
    folder = nil
    #expect(try tensor.floats() == [1, 2])
  }

  /// Neither ends the process, and neither gives other numbers.
  @Test(arguments: [true, false])
  func changedFilesAreNoticed(_ isCut: Bool) throws {
    let folder = try TemporaryFolder()
    let values = (0..<1 << 16).flatMap { littleEndianBytes(Float($0).bitPattern) }
    let tensor = try misaligned(.float32, values, in: folder)
    #expect(try tensor.floats().last == 65_535)
    if isCut {
      #expect(unsafe truncate(tensor.path, 5_000) == 0)
    } else {
      let file = try FileHandle(forUpdating: URL(filePath: tensor.path))
      try file.seek(toOffset: 4_096)
      try file.write(contentsOf: [1, 2, 3, 4])
      try file.close()
    }
    let error = try #require(throws: CheckpointError.self) { try tensor.floats() }
    #expect(error.message.hasPrefix(tensor.path))
    #expect(error.message.contains(isCut ? "was cut short" : "was changed while it was read"))
  }
}
