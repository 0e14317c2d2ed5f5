/// Where in a document a byte stands: which member of the outermost object, which item of the list there.
public struct JSONPlace: Equatable, Sendable {
  /// The outermost object's member; nil outside of one.
  public private(set) var member: RawText?
  /// The index in the outermost list, from 0.
  public private(set) var item: Int?

  /// Reads no further than the offset, in time linear in it; what stands before it is well-formed.
  public init(of offset: Int, in bytes: [UInt8]) {
    /// Nil for an object, else the index of the list's item.
    var open: [Int?] = []
    var index = 0
    var text = 0..<0
    while index < min(offset, bytes.count) {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        let end = Self.endOfString(bytes, from: index + 1)
        text = index + 1..<min(end, offset)
        index = end
      case UInt8(ascii: ":") where open.count == 1 && open[0] == nil:
        member = RawText(String(decoding: bytes[text], as: UTF8.self))
      case UInt8(ascii: "["):
        open.append(0)
        if item == nil { item = 0 }
      case UInt8(ascii: "{"): open.append(nil)
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        _ = open.popLast()
        if !open.contains(where: { $0 != nil }) { item = nil }
      case UInt8(ascii: ","):
        if let last = open.last, let current = last { open[open.count - 1] = current + 1 }
        if open.count == 1, open[0] == nil { member = nil }
        if let outer = open.first(where: { $0 != nil }) { item = outer }
      default: break
      }
      index += 1
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
  /// `item 3 of 'input'`; empty outside of members and lists.
  public var description: String {
    switch (member, item) {
    case (let member?, let item?): "item \(item) of '\(member)'"
    case (let member?, nil): "'\(member)'"
    case (nil, let item?): "item \(item)"
    case (nil, nil): ""
    }
  }
}

extension JSONError {
  /// The message, with the item of the document that it is about.
  public func message(in document: [UInt8]) -> String {
    let place = JSONPlace(of: offset, in: document).description
    return place.isEmpty ? message : "\(place): \(message)"
  }
}
