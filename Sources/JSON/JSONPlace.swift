/// Where in a document a byte stands: the members and items on the way to it.
public struct JSONPlace: Equatable, Sendable {
  enum Step: Equatable, Sendable {
    /// Nil before its name.
    case member(RawText?)
    /// The index in a list, from 0.
    case item(Int)
  }

  /// From the outside in.
  private(set) var steps: [Step] = []

  /// Reads no further than the offset, in time linear in it; what stands before it is well-formed.
  public init(of offset: Int, in bytes: [UInt8]) {
    let end = min(offset, bytes.count)
    var index = 0
    var text = 0..<0
    // Of the members on the way, where their names are: only the last of each level is decoded.
    var names: [Range<Int>] = []
    while index < end {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        let close = Self.endOfString(bytes, from: index + 1)
        text = index + 1..<max(index + 1, min(close, end))
        index = close
      case UInt8(ascii: ":"):
        if case .member = steps.last {
          steps[steps.count - 1] = .member("")
          names[names.count - 1] = text
        }
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        steps.append(bytes[index] == UInt8(ascii: "[") ? .item(0) : .member(nil))
        names.append(0..<0)
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        _ = steps.popLast()
        _ = names.popLast()
      case UInt8(ascii: ","):
        switch steps.last {
        case .item(let item)?: steps[steps.count - 1] = .item(item + 1)
        case .member?: steps[steps.count - 1] = .member(nil)
        case nil: break
        }
      default: break
      }
      index += 1
    }
    if case .member(nil) = steps.last { steps.removeLast() }
    for (level, step) in steps.enumerated() {
      guard case .member = step else { continue }
      steps[level] = .member(RawText(String(decoding: bytes[names[level]], as: UTF8.self)))
    }
  }

  /// The closing quote's offset, or the text's end.
  private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int {
    var index = start
    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
      index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(index, bytes.count)
  }
}

extension JSONPlace: CustomStringConvertible {
  /// Deeper ones are cut.
  private static let shownSteps = 8

  /// `item 3 of 'input'`, `inputs[0].data[3]`; empty outside of members and lists.
  public var description: String {
    if steps.count == 1, case .item(let item) = steps[0] { return "item \(item)" }
    if steps.count == 2, case .member(let member?) = steps[0], case .item(let item) = steps[1] {
      return "item \(item) of '\(member)'"
    }
    var path = ""
    for step in steps.prefix(Self.shownSteps) {
      switch step {
      case .member(let name): path += (path.isEmpty ? "" : ".") + (name?.description ?? "")
      case .item(let item): path += "[\(item)]"
      }
    }
    if path.isEmpty { return "" }
    return "'" + path + (steps.count > Self.shownSteps ? "…'" : "'")
  }
}

extension JSONError {
  /// The message, with the place in the document that it is about.
  public func message(in document: [UInt8]) -> String {
    let place = JSONPlace(of: offset, in: document).description
    return place.isEmpty ? message : "\(place): \(message)"
  }

  /// The message, with the line too: for files that people write.
  public func message(inFile document: [UInt8]) -> String {
    let line = 1 + document.prefix(offset).count { $0 == UInt8(ascii: "\n") }
    return "line \(line): \(message(in: document))"
  }
}
