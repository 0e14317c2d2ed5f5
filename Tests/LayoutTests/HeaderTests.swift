#if arch(x86_64)
  import Foundation
  import Testing

  /// An editor reads each header of the kernels alone; `make test-neon` has those of 64-bit ARM.
  @Suite struct HeaderTests {
    /// What clang has against a header; empty if nothing.
    private static func errors(in path: String) throws -> String {
      let compiler = Process()
      let output = Pipe()
      compiler.executableURL = URL(filePath: "/usr/bin/env")
      compiler.arguments = [
        "clang", "-std=c17", "-x", "c-header", "-fsyntax-only", "-I",
        SourceFile.root.appending(path: "Sources/CKernels/include").path, path,
      ]
      compiler.standardError = output
      try compiler.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      compiler.waitUntilExit()
      return compiler.terminationStatus == 0 ? "" : "\(path): \(text)"
    }

    @Test func eachIsReadAlone() throws {
      let headers = try SourceFile.all(below: "Sources/CKernels", extensions: ["h"])
        .filter { !$0.path.contains("/neon/") }
      #expect(headers.count > 20)
      for header in headers {
        #expect(try Self.errors(in: SourceFile.root.appending(path: header.path).path) == "")
      }
    }

    @Test func oneThatLeansOnOthersIsFound() throws {
      let header = URL.temporaryDirectory.appending(path: "header-\(UUID().uuidString).h")
      try "static inline vec twice(vec v) { return v + v; }".write(
        to: header, atomically: true, encoding: .utf8)
      defer { try? FileManager.default.removeItem(at: header) }
      #expect(try Self.errors(in: header.path).contains("unknown type name 'vec'"))
    }
  }
#endif
