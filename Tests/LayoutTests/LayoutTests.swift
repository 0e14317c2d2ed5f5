import Foundation
import Testing

/// The package as it stands keeps the rules.
@Suite struct LayoutTests {
  let swift: [SourceFile]

  init() throws {
    swift = try SourceFile.all(below: "Sources", extensions: ["swift"])
    #expect(swift.count > House.importTable.count)
  }

  @Test func importsKeepToTheTable() {
    #expect(swift.flatMap(Checks.imports) == [])
  }

  @Test func dependenciesAreTheTable() throws {
    #expect(Checks.dependencies(of: try SourceFile(at: "Package.swift")) == [])
  }

  @Test func everyFolderIsARoom() throws {
    let rooms = try FileManager.default.contentsOfDirectory(
      atPath: SourceFile.root.appending(path: "Sources").path)
    #expect(Set(rooms) == Set(House.importTable.keys))
  }

  @Test func noBannedWords() {
    #expect(swift.flatMap(Checks.bannedWords) == [])
  }

  @Test func oneFileNamesDispatchSource() {
    let files = swift.filter(Checks.namesDispatchSource).map(\.path)
    #expect(files.count <= House.mostFilesWithDispatchSource, "\(files)")
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

  @Test func topLevelIsTidy() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: SourceFile.root.path)
    #expect(Checks.topLevel(names) == [])
  }
}
