/// The rules that the tests hold, in one place.
enum LayoutRules {
  /// What a module may import: others and packages, which are also its dependencies in
  /// Package.swift, and modules of the toolchain.
  struct Module {
    var dependencies: Set<String>
    var toolchain: Set<String> = []
  }

  private static let c: Set = ["Darwin", "Glibc"]
  /// The import table. A module without toolchain modules has logic and no I/O. Nobody imports
  /// Foundation: one of its classes (a lock, a file handle, a thread) brings ICU, 40 MB, into a
  /// static binary; FoundationEssentials does not.
  static let importTable: [String: Module] = [
    "CKernels": Module(dependencies: []),
    "CPlatform": Module(dependencies: []),
    "COpenSSL": Module(dependencies: []),
    "CZlib": Module(dependencies: []),
    "CDigest": Module(dependencies: []),
    "EncoderContract": Module(dependencies: [], toolchain: c),
    "UntrustedInput": Module(dependencies: []),
    "JSON": Module(dependencies: ["UntrustedInput"]),
    "TensorFormats": Module(dependencies: ["JSON"]),
    "Tokenizers": Module(dependencies: ["EncoderContract", "JSON", "UntrustedInput"]),
    "Checkpoints": Module(
      dependencies: ["EncoderContract", "JSON", "UntrustedInput"],
      toolchain: c.union(["FoundationEssentials"])),
    "BERT": Module(
      dependencies: ["Checkpoints", "CKernels", "EncoderContract"],
      toolchain: c.union(["Synchronization"])),
    "Models": Module(
      dependencies: ["BERT", "Checkpoints", "CPlatform", "EncoderContract", "Tokenizers"],
      toolchain: ["Dispatch", "Synchronization"]),
    "Batching": Module(
      dependencies: ["EncoderContract"], toolchain: ["Dispatch", "Synchronization"]),
    "HTTP": Module(
      dependencies: ["COpenSSL", "CPlatform", "CZlib", "HTTPTypes", "UntrustedInput"],
      toolchain: c.union(["Dispatch", "Synchronization"])),
    // Requests before and after their protocol: routes, middleware, bodies. It encodes nothing.
    "Serving": Module(
      dependencies: ["HTTP", "HTTPTypes", "JSON", "UntrustedInput"],
      toolchain: c.union(["Dispatch", "FoundationEssentials", "Synchronization"])),
    // From texts to an answer's numbers. It knows no protocol.
    "Encoding": Module(
      dependencies: [
        "Batching", "EncoderContract", "HTTP", "HTTPTypes", "JSON", "Serving", "TensorFormats",
        "Tokenizers", "UntrustedInput",
      ],
      toolchain: ["Dispatch"]),
    "Protocols": Module(
      dependencies: [
        "Batching", "EncoderContract", "Encoding", "HTTP", "HTTPTypes", "JSON", "Serving",
        "TensorFormats", "Tokenizers", "UntrustedInput",
      ],
      toolchain: ["Dispatch"]),
    "Bulk": Module(
      dependencies: [
        "CDigest", "CZlib", "EncoderContract", "JSON", "TensorFormats", "Tokenizers",
        "UntrustedInput",
      ],
      toolchain: c),
    "Settings": Module(
      dependencies: ["EncoderContract", "JSON"], toolchain: ["FoundationEssentials"]),
    "HTTPClient": Module(
      dependencies: ["COpenSSL", "HTTP", "JSON", "UntrustedInput"], toolchain: c),
    "RecordEncoders": Module(
      dependencies: [
        "BERT", "Bulk", "Checkpoints", "EncoderContract", "HTTPClient", "JSON", "Models",
        "Tokenizers", "UntrustedInput",
      ],
      toolchain: c.union(["Dispatch", "Synchronization"])),
    "Bench": Module(
      dependencies: ["BERT", "Checkpoints", "EncoderContract", "JSON", "Models", "Tokenizers"]),
    "Hosting": Module(
      dependencies: [
        "Checkpoints", "CPlatform", "Encoding", "HTTP", "JSON", "Logging", "Serving", "Settings",
      ],
      toolchain: c.union(["Dispatch", "FoundationEssentials", "Synchronization"])),
    // Commands and wiring.
    "bert-server": Module(
      dependencies: [
        "ArgumentParser", "Batching", "Bench", "BERT", "Bulk", "Checkpoints", "COpenSSL",
        "CPlatform", "EncoderContract", "Encoding", "Hosting", "HTTP", "HTTPClient", "JSON",
        "Models", "Protocols", "RecordEncoders", "Serving", "Settings", "TensorFormats",
        "Tokenizers",
      ],
      toolchain: c.union(["Dispatch", "FoundationEssentials", "Synchronization"])),
  ]

  /// What tests share, and their executables: see `make fuzz`.
  static let tools: [String: Module] = [
    "TestSupport": Module(dependencies: [], toolchain: ["FoundationEssentials"]),
    "Fuzz": Module(
      dependencies: [
        "Batching", "Checkpoints", "CKernels", "EncoderContract", "Encoding", "HTTP", "HTTPClient",
        "HTTPTypes", "JSON", "Models", "Protocols", "Serving", "TestSupport", "Tokenizers",
      ],
      toolchain: ["FoundationEssentials"]),
  ]

  /// The folders of `Protocols`: a protocol, or a group of routes, each. None names a type that another
  /// one declares: what two of them need stands beside them, in `Protocols`, or in `Encoding`.
  static let protocols: Set = [
    "Explorer", "KServe", "Native", "OpenAI", "Operations", "TEI", "TensorFlowServing",
  ]

  /// What stands in no source, each with the reason.
  static let bannedWords: [String: String] = [
    "String(format:": "brings ICU, 40 MB",
    "NSRegularExpression": "brings ICU, 40 MB",
    "DateFormatter": "brings ICU, 40 MB",
    "NumberFormatter": "brings ICU, 40 MB",
    "trimmingCharacters": "brings ICU, 40 MB",
    "try!": "ends the process on bad input",
    "as!": "ends the process on bad input",
    "fatalError(": "ends the process on bad input",
  ]

  /// Files that read numbers without `Untrusted`, each with the reason.
  static let numberReaders: [String: String] = [
    "Sources/Checkpoints/GraphRun.swift": "a place in a list, looked up within its bounds",
    "Sources/Protocols/Operations/Operations.swift": "writes the server's own facts",
    "Sources/Tokenizers/UnigramScore.swift": "digits that would overflow are left out",
    "Sources/Settings/SettingDeclaration.swift": "the operator's, within its range before any use",
  ]

  /// `DispatchSource` has sharp edges on Linux: one file knows them.
  static let mostFilesWithDispatchSource = 1

  /// What must be said where the compiler's check of sharing is turned off: who guards it.
  static let sharingMarks = ["@unchecked Sendable", "nonisolated(unsafe)"]

  static let topLevel: Set = [
    "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile", "Package.swift", "README.md",
    "Sources", "Tests", "config",
  ]

  static let mostLines = 450
  static let generatedMark = "Generated by"
}
