import Glibc
public import Tokenizers

/// What turns records into entries: an encoder here, or a service elsewhere.
public protocol RecordEncoder {
  /// Records that it takes at once, so that memory is bounded and the work can be spread.
  var windowSize: Int { get }
  /// Bytes of their texts, where these have more than one row each.
  var windowBytes: Int { get }

  /// - Returns: one result an input: its rows, several where it is cut into chunks.
  /// - Throws: `BulkError`, for what is no record's fault.
  func encode(
    _ inputs: [TokenizerInput]
  ) throws(BulkError) -> [Result<[EncodedRecord], BadRecord>]
}

extension RecordEncoder {
  public var windowBytes: Int { RecordReader.maxRecordBytes }
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
    /// Rows written: as many as records, or chunks of these.
    public var rows = 0
    /// Records left out, in parts of earlier runs too.
    public var skipped = 0
    public var truncated = 0
    public var tokens = 0
    public var parts = 0
    /// Parts that an earlier run had made.
    public var partsBefore = 0
    /// Bytes of the input that are done, encoded or passed over.
    public var inputBytes = 0
    /// Those passed over: of parts that are there, or another process's.
    public var passedBytes = 0
  }

  private let layout: OutputLayout
  private let folder: JobFolder
  private let policy: ErrorPolicy
  private let mostSkipped: Int
  private let shard: Shard?
  public private(set) var progress = Progress()

  /// - Parameter mostSkipped: more records left out than that end the run; nil: there may be any number.
  public init(
    _ layout: OutputLayout, in folder: JobFolder, policy: ErrorPolicy, mostSkipped: Int?,
    shard: Shard?
  ) {
    self.layout = layout
    self.folder = folder
    self.policy = policy
    self.mostSkipped = mostSkipped ?? .max
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
        : try passOver(number, isThere: isThere, &reader, shouldStop)
      guard let count else { return false }
      if count < layout.partSize { break }
      number += 1
    }
    let next = layout.path(ofPart: number + 1)
    guard unsafe access(next, F_OK) != 0 else {
      throw BulkError("\(next) is there and the input ends before it: choose another folder")
    }
    return true
  }

  /// Reads the records of a part that is there, or another process's; nil if it was stopped.
  ///
  /// - Throws: `BulkError` if the part was made of other records.
  private mutating func passOver(
    _ number: Int, isThere: Bool, _ reader: inout RecordReader, _ shouldStop: () -> Bool
  ) throws(BulkError) -> Int? {
    let start = reader.consumedBytes
    let digest = try Digest()
    var count = 0
    while count < layout.partSize, let record = try reader.next() {
      if isThere { try record.identify(to: digest) }
      count += 1
      if count % 1024 == 0, shouldStop() { return nil }
    }
    progress.inputBytes = reader.consumedBytes
    progress.passedBytes += reader.consumedBytes - start
    // Where the input ends with a part, the one behind it is not there.
    guard isThere else { return count }
    let summary = try PartSummary(layout, number)
    guard try summary.inputDigest == digest.hexadecimal() else {
      throw BulkError(
        "\(layout.path(ofPart: number)) was made of other records than the input has now: choose "
          + "another folder, or empty that one")
    }
    var status = stat()
    guard unsafe stat(layout.path(ofPart: number), &status) == 0,
      status.st_size == summary.byteCount
    else {
      throw BulkError(
        "\(layout.path(ofPart: number)) does not have the \(summary.byteCount) bytes that were "
          + "written: delete it, and run the same command again")
    }
    guard policy == .skip || summary.skipped == 0 else {
      throw BulkError(
        "\(layout.path(ofPart: number)) leaves out \(summary.skipped) records, and --on-error is "
          + "stop: ask for --on-error skip, or mend the input and choose another folder")
    }
    progress.skipped += summary.skipped
    try checkSkipped()
    return count
  }

  /// The records of a part, less than `partSize` at the end of the input; nil if it was stopped.
  private mutating func write(
    _ number: Int, _ reader: inout RecordReader, _ encoder: some RecordEncoder,
    _ shouldStop: () -> Bool, _ report: (Progress) -> Void, _ reportSkipped: (String) -> Void
  ) throws(BulkError) -> Int? {
    var count = 0
    var window = try Self.window(&reader, encoder, min(encoder.windowSize, layout.partSize))
    // Where the input ends with a part there is no empty one after it.
    if window.isEmpty, number > 0 { return 0 }
    let digest = try Digest()
    let part = try PartWriter(layout, number: number)
    do {
      while !window.isEmpty {
        if shouldStop() {
          part.abandon()
          return nil
        }
        for record in window { try record.identify(to: digest) }
        try write(window, to: part, encoder, reportSkipped)
        count += window.count
        progress.inputBytes = reader.consumedBytes
        report(progress)
        window = try Self.window(
          &reader, encoder, min(encoder.windowSize, layout.partSize - count))
      }
      // Before there is a part nothing is claimed: a start that fails leaves the folder to others.
      try folder.claim()
      try part.finish(inputDigest: digest.hexadecimal())
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
      let result: Result<[EncodedRecord], BadRecord>
      switch record.input {
      case .failure(let reason): result = .failure(reason)
      case .success: result = results.next() ?? .failure(BadRecord("it was not encoded"))
      }
      switch result {
      case .success(let encoded):
        for row in encoded {
          try part.append(row, index: record.index, identifier: record.identifier)
          progress.rows += 1
          progress.tokens += row.tokenCount
          if row.truncated { progress.truncated += 1 }
        }
        progress.records += 1
      case .failure(let reason):
        guard policy == .skip else { throw BulkError("\(record.place): \(reason)") }
        reportSkipped("\(record.place): left out: \(reason)")
        try part.skip(record, reason)
        progress.skipped += 1
        try checkSkipped()
      }
    }
  }

  private func checkSkipped() throws(BulkError) {
    guard progress.skipped <= mostSkipped else {
      throw BulkError(
        "\(progress.skipped) records cannot be encoded and --max-skipped is \(mostSkipped): mend "
          + "the input")
    }
  }

  private static func window(
    _ reader: inout RecordReader, _ encoder: some RecordEncoder, _ count: Int
  ) throws(BulkError) -> [Record] {
    var records: [Record] = []
    var bytes = 0
    // Texts may be long: what is held is bounded in bytes too.
    while records.count < count, bytes < encoder.windowBytes, let record = try reader.next() {
      if case .success(let input) = record.input { bytes += input.byteCount }
      records.append(record)
    }
    return records
  }
}

extension Record {
  /// Adds what its row is made of.
  fileprivate func identify(to digest: Digest) throws(BulkError) {
    switch input {
    case .success(.single(let text)):
      try digest.add("text")
      try digest.add(text)
    case .success(.pair(let first, let second)):
      try digest.add("pair")
      try digest.add(first)
      try digest.add(second)
    case .success(.words(let words)):
      try digest.add("words \(words.count)")
      for word in words { try digest.add(word) }
    case .failure(let reason):
      try digest.add("bad")
      try digest.add(reason.description)
    }
    guard let identifier else { return }
    try digest.add("id")
    try digest.add(identifier)
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
