import Glibc
public import WordPiece

/// What turns records into entries: an encoder here, or a service elsewhere.
public protocol RecordEncoder {
  /// Records that it takes at once, so that memory is bounded and the work can be spread.
  var windowSize: Int { get }

  /// - Returns: one result an input.
  /// - Throws: `BulkError`, for what is no record's fault.
  func encode(
    _ inputs: [TokenizerInput]
  ) throws(BulkError) -> [Result<EncodedRecord, BadRecord>]
}

/// Records in, parts out.
///
/// Part k holds records k · partSize and those after it, and is one of several processes' by its
/// number. It appears whole or not at all, and its bytes depend on its records alone, so whoever
/// begins again leaves out what is there.
public struct BulkJob {
  /// What becomes of a record that cannot be encoded.
  public enum ErrorPolicy: String, CaseIterable, Sendable {
    case stop
    case skip
  }

  /// Which parts are this process's: those whose number leaves `index` when divided by `count`.
  public struct Shard: Sendable, Equatable {
    public var index: Int
    public var count: Int

    /// `2/8`, from 0; nil if it is none.
    public init?(_ text: String) {
      let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
      guard numbers.count == 2, let index = numbers[0], let count = numbers[1], count > 0,
        0..<count ~= index
      else { return nil }
      self.index = index
      self.count = count
    }
  }

  /// What has been done so far.
  public struct Progress: Sendable {
    public var records = 0
    public var skipped = 0
    public var truncated = 0
    public var tokens = 0
    public var parts = 0
    /// Parts that an earlier run had made.
    public var partsBefore = 0
    /// Bytes of the input that have been read.
    public var inputBytes = 0
  }

  private let layout: OutputLayout
  private let policy: ErrorPolicy
  private let shard: Shard?
  public private(set) var progress = Progress()

  public init(_ layout: OutputLayout, policy: ErrorPolicy, shard: Shard?) {
    self.layout = layout
    self.policy = policy
    self.shard = shard
  }

  /// - Parameters:
  ///   - shouldStop: asked between windows; true ends the run with what is whole.
  ///   - report: called after each window.
  ///   - reportSkipped: called for each record left out.
  /// - Returns: false if it was stopped.
  public mutating func run(
    _ reader: inout RecordReader, _ encoder: some RecordEncoder,
    shouldStop: () -> Bool, report: (Progress) -> Void, reportSkipped: (String) -> Void
  ) throws(BulkError) -> Bool {
    var number = 0
    while true {
      let isOurs = shard.map { number % $0.count == $0.index } ?? true
      let isThere = unsafe access(layout.path(ofPart: number), F_OK) == 0
      if isOurs && isThere { progress.partsBefore += 1 }
      let count =
        isOurs && !isThere
        ? try write(number, &reader, encoder, shouldStop, report, reportSkipped)
        : try leaveOut(&reader)
      guard let count else { return false }
      if count < layout.partSize { return true }
      number += 1
    }
  }

  private mutating func leaveOut(_ reader: inout RecordReader) throws(BulkError) -> Int? {
    for count in 0..<layout.partSize where try reader.next() == nil { return count }
    progress.inputBytes = reader.byteCount
    return layout.partSize
  }

  /// The records of a part, less than `partSize` at the end of the input; nil if it was stopped.
  private mutating func write(
    _ number: Int, _ reader: inout RecordReader, _ encoder: some RecordEncoder,
    _ shouldStop: () -> Bool, _ report: (Progress) -> Void, _ reportSkipped: (String) -> Void
  ) throws(BulkError) -> Int? {
    var count = 0
    var window = try Self.window(&reader, min(encoder.windowSize, layout.partSize))
    // Where the input ends with a part there is no empty one after it.
    if window.isEmpty, number > 0 { return 0 }
    let part = try PartWriter(layout, number: number)
    do {
      while !window.isEmpty {
        if shouldStop() {
          part.abandon()
          return nil
        }
        try write(window, to: part, encoder, reportSkipped)
        count += window.count
        progress.inputBytes = reader.byteCount
        report(progress)
        window = try Self.window(&reader, min(encoder.windowSize, layout.partSize - count))
      }
      try part.finish()
    } catch {
      part.abandon()
      throw error
    }
    progress.parts += 1
    return count
  }

  private mutating func write(
    _ window: [Record], to part: PartWriter, _ encoder: some RecordEncoder,
    _ reportSkipped: (String) -> Void
  ) throws(BulkError) {
    let inputs = window.compactMap { try? $0.input.get() }
    var results = try encoder.encode(inputs).makeIterator()
    for record in window {
      let result: Result<EncodedRecord, BadRecord>
      switch record.input {
      case .failure(let reason): result = .failure(reason)
      case .success: result = results.next() ?? .failure(BadRecord("it was not encoded"))
      }
      switch result {
      case .success(let encoded):
        try part.append(encoded, index: record.index)
        progress.records += 1
        progress.tokens += encoded.tokenCount
        if encoded.truncated { progress.truncated += 1 }
      case .failure(let reason):
        guard policy == .skip else { throw BulkError("\(record.place): \(reason)") }
        reportSkipped("\(record.place): left out: \(reason)")
        try part.skip(record, reason)
        progress.skipped += 1
      }
    }
  }

  private static func window(
    _ reader: inout RecordReader, _ count: Int
  ) throws(BulkError) -> [Record] {
    var records: [Record] = []
    var bytes = 0
    // Texts may be long: what is held is bounded in bytes too.
    while records.count < count, bytes < RecordReader.maxRecordBytes, let record = try reader.next()
    {
      if case .success(let input) = record.input { bytes += input.byteCount }
      records.append(record)
    }
    return records
  }
}

extension TokenizerInput {
  fileprivate var byteCount: Int {
    switch self {
    case .single(let text): text.utf8.count
    case .pair(let first, let second): first.utf8.count + second.utf8.count
    case .words(let words): words.reduce(0) { $0 + $1.utf8.count }
    }
  }
}
