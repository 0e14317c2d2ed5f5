package import JSON

/// Members of a client's object, or of its query: how many, and the first few of their names.
package struct MemberNames: Sendable {
  private static let mostNames = 8
  private static let shownBytes = 64

  package private(set) var count = 0
  /// In the order of their bytes.
  package private(set) var names: [RawText] = []

  package init() {}

  /// Adds what an object has besides some members.
  package mutating func add(_ object: BodyObject, besides known: some Collection<RawText>) {
    for name in object.members.keys where !known.contains(name) && object[name] != nil {
      add(name)
    }
  }

  package mutating func add(_ name: RawText) {
    if names.contains(name) { return }
    count += 1
    if names.count == Self.mostNames {
      guard name < names[names.count - 1] else { return }
      names.removeLast()
    }
    names.insert(name, at: names.firstIndex { name < $0 } ?? names.count)
  }

  /// For a header field; nil without any.
  var field: String? {
    if count == 0 { return nil }
    let others = count - names.count
    return shownNames.joined(separator: ", ") + (others > 0 ? ", and \(others) more" : "")
  }

  /// With all but letters, digits and a few signs percent-encoded: fit for a header field and the log.
  var shownNames: [String] { names.map(Self.plain) }

  private static func plain(_ name: RawText) -> String {
    var text = ""
    for byte in name.utf8.prefix(shownBytes) {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "."):
        text.unicodeScalars.append(Unicode.Scalar(byte))
      default: text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return text
  }
}
