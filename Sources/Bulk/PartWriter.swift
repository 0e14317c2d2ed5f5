import EncoderContract
import JSON
import TensorFormats

/// One part of the output: a file that is there whole or not at all.
final class PartWriter {
  private let layout: OutputLayout
  private let number: Int
  /// One per column; for JSON lines one in all.
  private var spools: [Spool] = []
  /// Columns of a sparse tensor's values; nil where there is none.
  private var indices: Spool?
  /// Values of all rows before each of a sparse tensor, and of all: [B + 1].
  private var sparseOffsets = [0]
  private let skipped: Spool
  private var skippedCount = 0
  private var recordIndices: [Int] = []
  /// Of each row: its record's own name; nil: the record has none but its number.
  private var identifiers: [String?] = []
  /// Of each row: what of its text it covers; empty where records are not cut into chunks.
  private var chunks: [Range<Int>] = []
  /// Rows of all records before each, and of all: [B + 1].
  private var offsets = [0]
  private var tokenCounts: [Int] = []

  init(_ layout: OutputLayout, number: Int) throws(BulkError) {
    self.layout = layout
    self.number = number
    let spoolPath = "\(layout.folder)/.\(layout.name(ofPart: number))"
    skipped = try Spool(path: spoolPath + ".skipped")
    let count = layout.format == .jsonl ? 1 : layout.columns.count
    for index in 0..<count { spools.append(try Spool(path: "\(spoolPath).\(index)")) }
    if sparseColumn != nil, layout.format != .jsonl {
      indices = try Spool(path: spoolPath + ".indices")
    }
  }

  func append(
    _ record: EncodedRecord, index: Int, identifier: String?
  ) throws(BulkError) {
    recordIndices.append(index)
    identifiers.append(identifier)
    if let bytes = record.bytes { chunks.append(bytes) }
    offsets.append((offsets.last ?? 0) + record.sequence.rowCount)
    tokenCounts.append(record.tokenCount)
    guard layout.format != .jsonl else { return try appendLine(record, index, identifier) }
    for (column, spool) in zip(layout.columns, spools) {
      var values = column.values(of: record.sequence)
      if column.isSparse {
        let row = SparseRow(values)
        values = row.values
        sparseOffsets.append((sparseOffsets.last ?? 0) + row.values.count)
        try indices?.append(row.indices.flatMap { Self.bytes($0) })
      }
      try spool.append { layout.elements.append(values.span, to: &$0) }
    }
  }

  private func appendLine(
    _ record: EncodedRecord, _ index: Int, _ identifier: String?
  ) throws(BulkError) {
    var line = JSONWriter()
    line.beginObject()
    line.key("record")
    line.integer(index)
    if let identifier {
      line.key("id")
      line.string(identifier)
    }
    if let bytes = record.bytes {
      line.key("bytes")
      line.beginArray()
      line.integer(bytes.lowerBound)
      line.integer(bytes.upperBound)
      line.endArray()
    }
    line.key("tokens")
    line.integer(record.tokenCount)
    line.key("truncated")
    line.boolean(record.truncated)
    for column in layout.columns {
      line.key(column.name)
      let values = column.values(of: record.sequence)
      if column.isSparse {
        line.sparse(SparseRow(values))
        continue
      }
      guard column.hasRowPerToken else {
        line.floats(values.span)
        continue
      }
      line.beginArray()
      for row in 0..<values.count / column.width {
        line.floats(values.span.extracting(row * column.width..<(row + 1) * column.width))
      }
      line.endArray()
    }
    line.endObject()
    try spools[0].append(line.bytes + [UInt8(ascii: "\n")])
  }

  func skip(_ record: Record, _ reason: BadRecord) throws(BulkError) {
    skippedCount += 1
    var line = JSONWriter()
    line.beginObject()
    line.key("record")
    line.integer(record.index)
    line.key("place")
    line.string(record.place)
    line.key("error")
    line.string(reason.description)
    line.endObject()
    try skipped.append(line.bytes + [UInt8(ascii: "\n")])
  }

  /// The part's own file comes last: where it is, all is.
  ///
  /// - Parameter inputDigest: of the part's records, those left out too.
  func finish(inputDigest: String) throws(BulkError) {
    if skippedCount > 0 {
      try skipped.finish(as: "\(layout.folder)/\(layout.name(ofPart: number)).skipped.jsonl")
    } else {
      skipped.remove()
    }
    let head = head()
    let tail =
      layout.format == .safetensors
      ? integers.flatMap { $0.value.flatMap { Self.bytes(Int64($0)) } } : []
    let files = spools + [indices].compactMap(\.self)
    let size = files.reduce(head.count + tail.count) { $0 + $1.byteCount }
    let summary = PartSummary(inputDigest: inputDigest, skipped: skippedCount, byteCount: size)
    try summary.write(zip(recordIndices, identifiers), chunks, layout, number)
    let path = layout.path(ofPart: number)
    guard layout.format != .jsonl else { return try spools[0].finish(as: path) }
    let whole = try Spool(path: "\(layout.folder)/.\(layout.name(ofPart: number)).whole")
    do {
      try whole.append(head)
      for spool in files {
        try whole.append(spool)
        spool.remove()
      }
      try whole.append(tail)
      try whole.finish(as: path)
    } catch {
      whole.remove()
      throw error
    }
  }

  func abandon() {
    skipped.remove()
    for spool in spools { spool.remove() }
    indices?.remove()
  }

  private var sparseColumn: Column? { layout.columns.first(where: \.isSparse) }

  // MARK: - Heads

  private func shape(of column: Column) -> [Int] {
    let count = recordIndices.count
    if column.isSparse { return [sparseOffsets.last ?? 0] }
    guard column.hasRowPerToken else { return [count, column.width] }
    guard let rows = layout.rowsPerRecord else { return [offsets.last ?? 0, column.width] }
    return [count, rows, column.width]
  }

  private func head() -> [UInt8] {
    switch layout.format {
    case .jsonl: []
    case .npy: npyHead()
    case .safetensors: safetensorsHead()
    }
  }

  private func npyHead() -> [UInt8] {
    TensorHead.npy(shape: shape(of: layout.columns[0]), layout.elements)
  }

  private func safetensorsHead() -> [UInt8] {
    var entries = layout.columns.map {
      TensorHead.Entry(
        name: $0.isSparse ? $0.name + ".values" : $0.name, shape: shape(of: $0), layout.elements)
    }
    if let sparseColumn {
      let count = sparseOffsets.last ?? 0
      entries.append(
        TensorHead.Entry(
          name: sparseColumn.name + ".indices", type: "I32", shape: [count], size: 4 * count))
    }
    for (name, values) in integers {
      entries.append(
        TensorHead.Entry(name: name, type: "I64", shape: [values.count], size: 8 * values.count))
    }
    guard let sparseColumn else {
      return TensorHead.safetensors(entries, metadata: ["part": String(number)])
    }
    return TensorHead.safetensors(
      entries,
      metadata: [
        "part": String(number),
        // The last rows and columns may have no values: then the arrays do not tell.
        "\(sparseColumn.name).shape": "\(recordIndices.count),\(sparseColumn.width)",
      ])
  }

  /// Which record each row is of, its tokens, and where the rows of each begin if it has several.
  private var integers: [(key: String, value: [Int])] {
    let isRagged = layout.rowsPerRecord == nil && layout.columns.contains { $0.hasRowPerToken }
    var integers = [("record", recordIndices), ("tokens", tokenCounts)]
    if isRagged { integers.append(("offset", offsets)) }
    if let sparseColumn { integers.append((sparseColumn.name + ".indptr", sparseOffsets)) }
    return integers
  }

  private static func bytes<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * Number($0))) }
  }
}

extension JSONWriter {
  /// `{"indices","values"}`
  fileprivate mutating func sparse(_ row: SparseRow) {
    beginObject()
    key("indices")
    beginArray()
    for index in row.indices { integer(index) }
    endArray()
    key("values")
    floats(row.values.span)
    endObject()
  }
}
