public import Tokenizers

/// One item of the input: what is encoded into one row of the output.
public struct Record: Sendable {
  /// Its place among all records of all files, from 0.
  public var index: Int
  /// Where it stands, for people: "texts.jsonl:12", the line from 1.
  public var place: String
  /// Its own name, if a field with one was asked for.
  public var identifier: String?
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
  /// One JSON array of such values.
  case json
  /// RFC 4180 with a line of names.
  case csv
  /// The same with tabs for commas.
  case tsv
  /// A text a file, named by the file's path.
  case document

  /// What a file's name says, without `.gz` at its end; text for standard input. Nil: nothing.
  public init?(path: String) {
    let endings: [(String, Self)] = [
      (".txt", .text), (".text", .text), (".jsonl", .jsonl), (".ndjson", .jsonl), (".json", .json),
      (".csv", .csv), (".tsv", .tsv), (".tab", .tsv),
    ]
    let name = path.lowercased()
    let inner = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
    if path == "-" {
      self = .text
    } else if let format = endings.first(where: { inner.hasSuffix($0.0) })?.1 {
      self = format
    } else {
      return nil
    }
  }

  /// What stands between a table's cells; nil without cells.
  var separator: UInt8? {
    switch self {
    case .csv: UInt8(ascii: ",")
    case .tsv: UInt8(ascii: "\t")
    case .text, .jsonl, .json, .document: nil
    }
  }
}

/// Which members of an object, or columns of a table, a record is made of.
public struct Fields: Sendable {
  /// Nil: `text`.
  public var text: String?
  /// The second text of a pair; nil: no pairs.
  public var second: String?
  /// The record's own name; nil: it has none but its number.
  public var identifier: String?

  public init(text: String? = nil, second: String? = nil, identifier: String? = nil) {
    self.text = text
    self.second = second
    self.identifier = identifier
  }

  /// Whether there is a field that plain text does not have.
  var areNamed: Bool { text != nil || second != nil || identifier != nil }

  var textName: String { text ?? "text" }
}
