import Foundation
import Testing

/// The package as it stands keeps the rules.
@Suite struct LayoutTests {
  let swift: [SourceFile]

  init() throws {
    swift = try SourceFile.all(below: "Sources", extensions: ["swift"])
    #expect(swift.count > LayoutRules.importTable.count)
  }

  @Test func importsKeepToTheTable() {
    #expect(swift.flatMap(Checks.imports) == [])
  }

  @Test func dependenciesAreTheTable() throws {
    #expect(Checks.dependencies(of: try SourceFile(at: "Package.swift")) == [])
  }

  @Test func everyFolderIsAModule() throws {
    let modules = try FileManager.default.contentsOfDirectory(
      atPath: SourceFile.root.appending(path: "Sources").path)
    #expect(Set(modules) == Set(LayoutRules.importTable.keys))
  }

  @Test func protocolsDoNotKnowEachOther() throws {
    #expect(Set(swift.compactMap(\.protocolName)) == LayoutRules.protocols)
    #expect(Checks.protocols(in: swift) == [])
  }

  @Test func noBannedWords() {
    #expect(swift.flatMap(Checks.bannedWords) == [])
  }

  @Test func oneFileNamesDispatchSource() {
    let files = swift.filter(Checks.namesDispatchSource).map(\.path)
    #expect(files.count <= LayoutRules.mostFilesWithDispatchSource, "\(files)")
  }

  @Test func sharingIsExplained() {
    #expect(swift.flatMap(Checks.sharing) == [])
  }

  @Test func filesAreShort() throws {
    let kinds: Set = ["c", "h", "md", "py", "sh", "swift", "txt", "yaml", "yml"]
    let files =
      try ["Sources", "Tests", "config"].flatMap {
        try SourceFile.all(below: $0, extensions: kinds)
      } + ["CONTRIBUTING.md", "Dockerfile", "Makefile", "README.md"].map(SourceFile.init(at:))
    #expect(files.flatMap(Checks.length) == [])
  }

  /// Of what is committed, so that a log or a note left lying about fails nobody's tests.
  @Test(.enabled(if: !SourceFile.committedPaths.isEmpty, "not a git working copy"))
  func topLevelIsTidy() {
    let names = Set(SourceFile.committedPaths.compactMap { $0.split(separator: "/").first })
    #expect(Checks.topLevel(names.map { String($0) }.sorted()) == [])
  }
}
