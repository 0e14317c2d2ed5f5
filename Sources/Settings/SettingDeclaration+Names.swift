import FoundationEssentials

/// Settings that are names, paths and origins.
extension SettingDeclaration {
  /// Of lists that are comma-separated, repeated, or both.
  private static func items(_ texts: [String]) -> [String] {
    texts.flatMap { $0.split(separator: ",") }
      .map { $0.split(separator: " ").joined(separator: " ") }.filter { !$0.isEmpty }
  }

  static func origins(
    _ key: String, _ property: Property<[String]>, _ documentation: String
  ) -> Self {
    .init(
      key: key, documentation: documentation,
      values: "https://HOST, http://HOST:PORT or app://NAME as a browser names them, null, or *; "
        + "empty for none",
      isRepeatable: true, isNumber: false,
      read: { $0[keyPath: property] },
      write: { settings, texts in
        let origins = items(texts)
        settings[keyPath: property] = origins
        return origins.allSatisfy(isOrigin)
      })
  }

  /// An ASCII serialization of an origin (RFC 6454 section 6.2), which is compared as it stands:
  /// of the web, or of an application's own scheme (`app://obsidian.md`, `file://`); or `null`, the
  /// origin of pages that have none.
  private static func isOrigin(_ text: String) -> Bool {
    if text == "*" || text == "null" { return true }
    guard let colon = text.firstIndex(of: ":") else { return false }
    let (scheme, rest) = (text[..<colon].utf8, text[colon...])
    guard let first = scheme.first, isLower(first), rest.hasPrefix("://"),
      scheme.allSatisfy({ isLower($0) || isDigit($0) || "+-.".utf8.contains($0) })
    else { return false }
    let host = rest.dropFirst(3).utf8
    return host.allSatisfy { isLower($0) || isDigit($0) || ".-_:[]".utf8.contains($0) }
      && (!host.isEmpty || !["http", "https"].contains(text[..<colon]))
  }

  private static func isLower(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  static func path(
    _ key: String, _ property: Property<String>, _ documentation: String
  ) -> Self {
    .init(
      key: key, documentation: documentation,
      values: "/NAME or /NAME/NAME, of letters, digits and . _ ~ -, or empty: none",
      isRepeatable: false, isNumber: false, read: { [$0[keyPath: property]] },
      write: { settings, texts in
        guard texts.count == 1 else { return false }
        var path = texts[0]
        while path.hasSuffix("/") { path.removeLast() }
        settings[keyPath: property] = path
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return path.isEmpty
          || parts.count > 1 && parts[0].isEmpty
            && parts.dropFirst().allSatisfy { part in
              ModelFolder.isName(part.replacing("~", with: "-"))
            }
      })
  }

  static func models(
    _ key: String, _ property: Property<[ModelFolder]>,
    _ documentation: String
  ) -> Self {
    .init(
      key: key, documentation: documentation,
      values:
        "DIR or NAME=DIR, each name once, of letters, digits and . _ -; a folder whose own name "
        + "has none of these needs a NAME",
      isRepeatable: true, isNumber: false,
      read: { settings in
        settings[keyPath: property].map { folder in
          folder.name == ModelFolder(folder.path)?.name
            ? folder.path : "\(folder.name)=\(folder.path)"
        }
      },
      write: { settings, texts in
        let folders = texts.compactMap { ModelFolder($0) }
        settings[keyPath: property] = folders
        return !texts.isEmpty && folders.count == texts.count
          && Set(folders.map(\.name)).count == folders.count
      })
  }

  static func names(
    _ key: String, _ property: Property<[ServedName]>, _ documentation: String
  ) -> Self {
    .init(
      key: key, documentation: documentation,
      values:
        "NAME or MODEL=NAME, of visible ASCII characters but , = and *, or * alone for any name; "
        + "comma-separated or repeated; empty for none",
      isRepeatable: true, isNumber: false,
      read: { settings in
        settings[keyPath: property].map { other in
          other.model.map { "\($0)=\(other.name)" } ?? other.name
        }
      },
      write: { settings, texts in
        let names = items(texts).map { ServedName($0) }
        settings[keyPath: property] = names.compactMap(\.self)
        return names.allSatisfy { $0 != nil }
      })
  }
}

extension ServedName {
  private static let mostBytes = 256

  /// `NAME`, or `MODEL=NAME`.
  init?(_ text: String) {
    let sides = text.split(separator: "=", omittingEmptySubsequences: false).map { String($0) }
    guard sides.count <= 2, let name = sides.last, (1...Self.mostBytes).contains(name.utf8.count),
      name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
      // It stands for any name, and is no pattern.
      name == "*" || !name.utf8.contains(UInt8(ascii: "*"))
    else { return nil }
    self.init(model: sides.count == 2 ? sides[0] : nil, name: name)
  }
}

extension ModelFolder {
  /// `NAME=DIR`, or `DIR`, whose last part is then the name. What has a slash is no name.
  init?(_ text: String) {
    if let equals = text.firstIndex(of: "="), !text[..<equals].contains("/") {
      name = String(text[..<equals])
      path = String(text[text.index(after: equals)...])
    } else {
      name = Self.name(of: text)
      path = text
    }
    guard Self.isName(name), !path.isEmpty else { return nil }
  }

  /// The folder's own name, with a hyphen for each run of characters that a name may not have.
  public static func name(of path: String) -> String {
    var parts = path.split(separator: "/")
    // Where the name is not in the path: of the folder that the process is in.
    if !path.hasPrefix("/"), parts.allSatisfy({ $0 == "." || $0 == ".." }), !parts.isEmpty {
      parts = FileManager.default.currentDirectoryPath.split(separator: "/") + parts
    }
    var own: [Substring] = []
    for part in parts where part != "." {
      if part == ".." { _ = own.popLast() } else { own.append(part) }
    }
    var name = ""
    for scalar in (own.last ?? "").unicodeScalars {
      if scalar.isASCII, isPlain(UInt8(scalar.value)) {
        name.unicodeScalars.append(scalar)
      } else if !name.hasSuffix("-") {
        name += "-"
      }
    }
    return name.utf8.contains { $0 != UInt8(ascii: "-") } ? name : ""
  }

  /// Names stand in URLs.
  static func isName(_ text: some StringProtocol) -> Bool {
    text.utf8.allSatisfy(isPlain) && !["", ".", ".."].contains(String(text))
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
