/// The bytes of a safetensors file: length, header, data.
func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] {
  littleEndianBytes(UInt64(header.utf8.count)) + header.utf8 + data
}

func littleEndianBytes(_ value: some FixedWidthInteger) -> [UInt8] {
  (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}
