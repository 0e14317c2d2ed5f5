import Foundation
import Testing

/// A number from outside meets arithmetic only through its check: by its type, which has no
/// operators, and because nothing else reads one.
@Suite struct UntrustedTests {
  /// Errors of the compiler, by line of `code`; `code` is compiled with the type's source.
  private static func errors(of code: [String]) throws -> [Int: String] {
    let file = URL.temporaryDirectory.appending(path: "untrusted-\(UUID().uuidString).swift")
    try code.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let compiler = Process()
    let output = Pipe()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "swiftc", "-typecheck", "-parse-as-library", "-swift-version", "6", "-diagnostic-style",
      "llvm",
      SourceFile.root.appending(path: "Sources/UntrustedInput/Untrusted.swift").path, file.path,
    ]
    compiler.standardError = output
    try compiler.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    compiler.waitUntilExit()
    var errors: [Int: String] = [:]
    for line in text.split(separator: "\n") {
      guard let match = line.firstMatch(of: /untrusted-[^:]*\.swift:(\d+):\d+: error: (.*)/),
        let number = Int(match.1)
      else { continue }
      errors[number - 1] = String(match.2)
    }
    if errors.isEmpty, compiler.terminationStatus != 0 { Issue.record("\(text)") }
    return errors
  }

  @Test func theTypeHasNoArithmetic() throws {
    let uses = [
      "number + 1", "number - 1", "number * 2", "number / 2", "number % 2", "number << 1",
      "number &+ 1", "-number", "1 + number", "count + number", "Int(number)", "UInt32(number)",
      "Int(exactly: number)", "Array(repeating: 0, count: number)", "list[number]",
      "list.prefix(number)", "0..<number", "number < 5", "number.number", "{ count += number }",
    ]
    let code = uses.enumerated().map { index, use in
      "func use\(index)(_ number: Untrusted<Int>, _ list: [Int]) { var count = 0; count = 1; _ = \(use) }"
    }
    let errors = try Self.errors(of: code)
    // `number.number` is within the type's module here: see the next test.
    let compiled = uses.indices.filter { errors[$0] == nil }.map { uses[$0] }
    #expect(compiled == ["number.number"])
    let right = "func use(_ number: Untrusted<Int>) -> Int? { number.within(0...9).map { $0 + 1 } }"
    #expect(try Self.errors(of: [right]).isEmpty)
  }

  @Test func whatIsInsideStaysThere() throws {
    let file = try SourceFile(at: "Sources/UntrustedInput/Untrusted.swift")
    #expect(file.code.contains { $0.contains("@usableFromInline let number: Number") })
    #expect(!file.text.contains("package "))
  }

  @Test func nothingElseReadsNumbers() throws {
    let files = try SourceFile.all(below: "Sources", extensions: ["swift"])
    #expect(files.flatMap(Checks.numberReaders) == [])
  }

  @Test(arguments: [
    "guard let size = Int(text) else {", "if let size = Int(text), size > 0 {",
    "      let block = UInt32(name.dropFirst(2)),", "guard let size = Int(line, radix: 16) else {",
    "fields[0].flatMap { Int($0) }", "words.map(Int.init)", "parts.compactMap({ Int64($0) })",
    "let (tens, overflow) = length.multipliedReportingOverflow(by: 10)",
    "(sum, carry) = size.multipliedReportingOverflow(by: 16)",
  ])
  func aNumberReadByHand(line: String) {
    let file = SourceFile("Sources/HTTP/File.swift", line)
    #expect(Checks.numberReaders(in: file).count == 1)
  }

  @Test(arguments: [
    "guard let size = Untrusted<Int>(text)?.within(0...9) else {", "let count = Int(known)",
    "String(number, radix: 16)", "typeIDs = known.map { Int32($0) }",
    "guard let value = Int64(exactly: other) else {",
    "let (total, overflow) = bytes.addingReportingOverflow(more)",
    "// guard let size = Int(text) else {",
  ])
  func noNumberReadByHand(line: String) {
    #expect(Checks.numberReaders(in: SourceFile("Sources/HTTP/File.swift", line)) == [])
  }
}
