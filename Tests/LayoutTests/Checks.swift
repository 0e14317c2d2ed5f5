/// Each check takes what it looks at and returns what is wrong with it, so that a test can show
/// it something bad.
enum Checks {
  static func imports(of file: SourceFile) -> [String] {
    guard let module = LayoutRules.importTable[file.module] else {
      return ["\(file.path): the import table has no module \(file.module)"]
    }
    return file.imports.filter { !module.dependencies.union(module.toolchain).contains($0) }
      .map { "\(file.path): \(file.module) may not import \($0)" }
  }

  /// Types of one protocol that a file of another one names.
  static func protocols(in files: [SourceFile]) -> [String] {
    let declaration =
      /^(?:(?:public|package|final|indirect) )*(?:struct|enum|class|protocol|actor|typealias) (\w+)/
    var owners: [String: String] = [:]
    for file in files {
      guard let name = file.protocolName else { continue }
      for line in file.code {
        if let match = line.firstMatch(of: declaration) { owners[String(match.1)] = name }
      }
    }
    return files.flatMap { file -> [String] in
      guard let name = file.protocolName else { return [] }
      let words = Set(file.code.flatMap { $0.matches(of: /\w+/).map { String($0.0) } })
      return owners.filter { $0.value != name && words.contains($0.key) }
        .map { "\(file.path): \(name) may not name \($0.value)'s \($0.key)" }.sorted()
    }
  }

  /// Package.swift's targets against the table, both ways.
  static func dependencies(of manifest: SourceFile) -> [String] {
    let declared = targets(of: manifest)
    let table = LayoutRules.importTable.merging(LayoutRules.tools) { $1 }
    let wrong = declared.sorted { $0.key < $1.key }.compactMap { name, dependencies in
      guard let module = table[name] else { return "the table has no module \(name)" }
      return dependencies == module.dependencies
        ? nil : "\(name) depends on \(dependencies.sorted()), not \(module.dependencies.sorted())"
    }
    let missing = table.keys.filter { declared[$0] == nil }.sorted()
    return wrong + missing.map { "there is no target \($0)" }
  }

  /// Name → dependencies, of every target that is no test.
  static func targets(of manifest: SourceFile) -> [String: Set<String>] {
    let text = manifest.code.joined(separator: "\n")
    var targets: [String: Set<String>] = [:]
    let start = /\.(?:target|executableTarget|systemLibrary)\(\s*name:\s*"([^"]+)"/
    let next = /\.(?:target|executableTarget|systemLibrary|testTarget)\(/
    for match in text.matches(of: start) {
      let rest = text[match.range.upperBound...]
      // A target's arguments end where the next target begins.
      let end = rest.firstRange(of: next)?.lowerBound
      let arguments = rest[..<(end ?? rest.endIndex)]
      var names: Set<String> = []
      if let list = arguments.firstMatch(of: /dependencies:\s*\[([^\]]*)\]/)?.1 {
        let withoutPackages = list.replacing(/package:\s*"[^"]*"/, with: "")
        names = Set(withoutPackages.matches(of: /"([^"]+)"/).map { String($0.1) })
      }
      targets[String(match.1)] = names
    }
    return targets
  }

  static func bannedWords(in file: SourceFile) -> [String] {
    file.code.enumerated().flatMap { number, line in
      LayoutRules.bannedWords.filter { line.contains($0.key) }
        .map { "\(file.path):\(number + 1): \($0.key) \($0.value)" }
    }
  }

  static func namesDispatchSource(_ file: SourceFile) -> Bool {
    file.code.contains { $0.contains("DispatchSource") }
  }

  /// Where the compiler's check of sharing is turned off, the comment above names what is guarded or
  /// its guard in backquotes, something that the file declares; or it says that nothing changes after `init`, and
  /// then nothing may be declared that can.
  static func sharing(in file: SourceFile) -> [String] {
    let lines = file.lines
    return file.code.enumerated().compactMap { number, line in
      guard let mark = LayoutRules.sharingMarks.first(where: { line.contains($0) }) else {
        return nil
      }
      let above = lines[..<number].reversed().prefix { line in
        [Substring("/"), "@"].contains(line.drop { $0 == " " }.prefix(1))
      }
      let comment = (above.reversed() + [lines[number]]).compactMap { line in
        line.firstRange(of: "//").map { line[$0.upperBound...] }
      }.joined(separator: " ")
      // What is said of the mark, not of the type.
      let reason = comment.firstRange(of: "`\(mark)`:").map { comment[$0.upperBound...] } ?? ""
      let isRight =
        reason.contains("changes after `init`")
        ? !canChange(file.code[number...]) : names(reason).contains { declares($0, file.code) }
      return isRight
        ? nil
        : "\(file.path):\(number + 1): say behind `\(mark)`: which `queue` or `lock` of this file "
          + "guards it, or that nothing changes after `init`, where nothing can"
    }
  }

  /// The first parts of what stands in backquotes: of `io.queue` it is `io`.
  private static func names(_ reason: Substring) -> [Substring] {
    reason.matches(of: /`(\w+)[^`]*`/).map { $0.1 }.filter { $0 != "init" }
  }

  private static func declares(_ name: Substring, _ code: [Substring]) -> Bool {
    code.contains { line in
      line.matches(of: /\b(?:let|var|func) (\w+)(?:, (\w+))?/).contains {
        $0.1 == name || $0.2 == name
      }
    }
  }

  /// Whether the type whose first line is given has a stored property that is a variable.
  private static func canChange(_ code: ArraySlice<Substring>) -> Bool {
    let indentation = code.first?.prefix { $0 == " " } ?? ""
    let body = code.dropFirst().prefix { !$0.hasPrefix(indentation + "}") }
    let stored = /^ +(?:[@\w]+(?:\(\w+\))? )*var \w+(?:[^{]*$|.*\{ *(?:didSet|willSet))/
    return body.contains { line in
      line.prefix { $0 == " " }.count == indentation.count + 2 && line.contains(stored)
    }
  }

  /// Text becomes a number in `Untrusted` alone: nowhere else is there a conversion that may fail, or
  /// a loop over digits.
  static func numberReaders(in file: SourceFile) -> [String] {
    guard file.module != "UntrustedInput", LayoutRules.numberReaders[file.path] == nil else {
      return []
    }
    return file.code.enumerated().compactMap { number, line in
      let isCondition = line.contains(/\b(guard|if|while)\b|(,|\{)$/)
      let reads =
        isCondition && line.contains(/\blet \w+ = U?Int\d*\((?!exactly|bitP|trunc|clamp)/)
        || line.contains(/(flat|compact)Map\W+U?Int\d*(\(\$0\)|\.init)|map\(U?Int\d*\.init\)/)
        || line.contains(/U?Int\d*\([^)]*, radix:/)
        || line.contains(/ReportingOverflow\(by: (10|16|radix)\)/)
      return reads ? "\(file.path):\(number + 1): read the number as Untrusted" : nil
    }
  }

  static func length(of file: SourceFile) -> [String] {
    let count = file.text.utf8.count { $0 == UInt8(ascii: "\n") }
    let isGenerated = file.lines.prefix(5).contains { $0.contains(LayoutRules.generatedMark) }
    return count <= LayoutRules.mostLines || isGenerated
      ? [] : ["\(file.path): \(count) lines, over \(LayoutRules.mostLines)"]
  }

  static func topLevel(_ names: [String]) -> [String] {
    names.filter { !$0.hasPrefix(".") && !LayoutRules.topLevel.contains($0) }
      .map { "\($0) does not belong at the top level" }
  }
}
