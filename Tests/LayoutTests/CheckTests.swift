import Testing

/// Each check fails when it is shown something bad.
@Suite struct CheckTests {
  func file(_ module: String, _ text: String) -> SourceFile {
    SourceFile("Sources/\(module)/File.swift", text)
  }

  @Test(arguments: [
    "import Serving", "public import HTTP", "@preconcurrency import Dispatch", "  import Glibc",
    "@testable internal import BERT", "import struct Foundation.Date", "import Foundation // why",
  ])
  func anImportOffTheTable(line: String) {
    #expect(Checks.imports(of: file("Tokenizers", "import EncoderContract\n" + line)).count == 1)
  }

  @Test(arguments: [
    "// import Serving", "public import EncoderContract", "let imported = import0",
    "#if canImport(Glibc)", "",
  ])
  func noImportOffTheTable(line: String) {
    #expect(Checks.imports(of: file("Tokenizers", line)) == [])
  }

  @Test func aModuleOffTheTable() {
    #expect(Checks.imports(of: file("Cellar", "")).count == 1)
  }

  @Test func protocolsThatKnowEachOther() {
    let tei = SourceFile(
      "Sources/Protocols/TEI/TEIBody.swift", "final class Body {}")
    let shared = SourceFile("Sources/Encoding/Job.swift", "struct Job {}\nlet a = Body()")
    func wrong(_ text: String) -> [String] {
      Checks.protocols(in: [tei, shared, SourceFile("Sources/Protocols/OpenAI/File.swift", text)])
    }
    #expect(
      wrong("let a = [Body]()") == [
        "Sources/Protocols/OpenAI/File.swift: OpenAI may not name TEI's Body"
      ])
    #expect(wrong("struct Other { var body: Job }\n// as Body\nlet bodies = 1") == [])
  }

  @Test func dependenciesAreRead() {
    let manifest = SourceFile(
      "Package.swift",
      """
      dependencies: [.package(url: "a", from: "1.0.0")],
      targets: [
        .target(
          name: "JSON", dependencies: ["UntrustedInput"], swiftSettings: [.define("dependencies")]),
        // .target(name: "Gone"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
        .target(
          name: "HTTP",
          dependencies: [
            "COpenSSL", "CPlatform", "CZlib", "UntrustedInput",
            .product(name: "HTTPTypes", package: "swift-http-types"),
          ]),
        .executableTarget(name: "Cellar", dependencies: ["JSON"]),
        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
      ]
      """)
    #expect(
      Checks.targets(of: manifest)
        == [
          "JSON": ["UntrustedInput"], "CZlib": [],
          "HTTP": ["COpenSSL", "CPlatform", "CZlib", "HTTPTypes", "UntrustedInput"],
          "Cellar": ["JSON"],
        ])
    let wrong = Checks.dependencies(of: manifest)
    #expect(wrong.contains("the table has no module Cellar"))
    #expect(wrong.contains("there is no target BERT"))
    #expect(!wrong.contains { $0.hasPrefix("HTTP") || $0.hasPrefix("JSON") })
  }

  @Test func aDependencyTooMany() {
    let manifest = SourceFile(
      "Package.swift", #".target(name: "JSON", dependencies: ["HTTP"]),"#)
    #expect(Checks.dependencies(of: manifest).contains { $0.hasPrefix("JSON depends on") })
  }

  @Test(arguments: LayoutRules.bannedWords.keys.sorted())
  func aBannedWord(word: String) {
    #expect(Checks.bannedWords(in: file("HTTP", "let x = \(word) y")).count == 1)
    #expect(Checks.bannedWords(in: file("HTTP", "// not \(word) here")) == [])
  }

  @Test func aSharingMarkWithoutItsReason() {
    let members = "\n  private let queue: DispatchQueue\n  private var count = 0\n}\n"
    func wrong(_ comment: String, _ members: String) -> Int {
      let type = "final class A: @unchecked Sendable {" + members
      return Checks.sharing(in: file("HTTP", comment + type)).count
    }
    #expect(wrong("", members) == 1)
    // Likely words are no reason, nor is a name that the file does not declare.
    #expect(wrong("/// Waits in a queue, behind a lock.\n", members) == 1)
    #expect(wrong("/// `@unchecked Sendable`: changes on a queue only.\n", members) == 1)
    #expect(wrong("/// `@unchecked Sendable`: changes behind `lock`.\n", members) == 1)
    #expect(wrong("/// Changes on `queue`.\n///\n/// `@unchecked Sendable`: safe.\n", members) == 1)
    #expect(
      wrong("/// `@unchecked Sendable`: changes on\n/// `queue` only.\n@safe\n", members) == 0)
    let constant = "/// `@unchecked Sendable`: nothing changes after `init`.\n"
    #expect(wrong(constant, members) == 1)
    for variable in [
      "fileprivate var a = 0", "private(set) var a = 0", "lazy var a = 0", "static var a = 0",
      "@objc unowned var a: A", "var a = 0 { didSet { b() } }",
    ] {
      #expect(wrong(constant, "\n  \(variable)\n}\n") == 1, "\(variable)")
    }
    #expect(wrong(constant, "\n  let count: Int\n  var double: Int { 2 * count }\n}\n") == 0)
    #expect(Checks.sharing(in: file("HTTP", "nonisolated(unsafe) var a = 0")).count == 1)
    let shared =
      "let lock = 0\n// `nonisolated(unsafe)`: behind `lock`\nnonisolated(unsafe) var a = 0"
    #expect(Checks.sharing(in: file("HTTP", shared)) == [])
  }

  @Test func dispatchSourceInCode() {
    #expect(Checks.namesDispatchSource(file("HTTP", "DispatchSource.makeReadSource()")))
    #expect(!Checks.namesDispatchSource(file("HTTP", "/// Why no `DispatchSource`.")))
  }

  @Test func aLongFile() {
    let lines = String(repeating: "\n", count: LayoutRules.mostLines + 1)
    #expect(Checks.length(of: file("HTTP", lines)).count == 1)
    #expect(Checks.length(of: file("HTTP", "// \(LayoutRules.generatedMark) a.py\n" + lines)) == [])
    #expect(Checks.length(of: file("HTTP", String(lines.dropLast()))) == [])
  }

  @Test func aStrangerAtTheTopLevel() {
    #expect(Checks.topLevel(["notes.md", ".swift-format", "Sources", "Makefile"]).count == 1)
  }
}
