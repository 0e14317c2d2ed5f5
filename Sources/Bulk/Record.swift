public import WordPiece

/// One item of the input: what is encoded into one row of the output.
public struct Record: Sendable {
  /// Its place among all records of all files, from 0.
  public var index: Int
  /// Where it stands, for people: "texts.jsonl:12", the line from 1.
  public var place: String
  /// The text or pair, or why there is none.
  public var input: Result<TokenizerInput, BadRecord>
}

/// Why a record cannot be encoded; the message says what to change.
public struct BadRecord: Error, Equatable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}

/// Why a job cannot go on.
public struct BulkError: Error, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}

/// How the input is written.
public enum InputFormat: String, CaseIterable, Sendable {
  /// A text a line, an empty line an empty text.
  case text
  /// A JSON value a line: a text, a pair, or an object with the fields.
  case jsonl
  /// RFC 4180 with a line of names.
  case csv

  /// What a file's name says; text for any other.
  public init(path: String) {
    if path.hasSuffix(".jsonl") || path.hasSuffix(".ndjson") {
      self = .jsonl
    } else if path.hasSuffix(".csv") {
      self = .csv
    } else {
      self = .text
    }
  }
}

/// Which members of an object, or columns of a table, are the text and its second part.
public struct Fields: Sendable {
  public var text: String
  /// Nil: no pairs.
  public var second: String?

  public init(text: String = "text", second: String? = nil) {
    self.text = text
    self.second = second
  }
}
