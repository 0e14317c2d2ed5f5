// swift-tools-version: 6.2
import PackageDescription

/// SwiftPM refuses a dependency that sets flags of its own. They make it faster, not other.
let isDependency = Context.packageDirectory.split(separator: "/").contains("checkouts")

/// Every Swift target is built the same way.
let swiftSettings: [SwiftSetting] =
  [
    // A warning left standing is a question left unanswered.
    .treatAllWarnings(as: .error),
    // Each use of a pointer is marked `unsafe` where it stands, so that a review can find them all.
    .strictMemorySafety(),
    // An existential costs a box and a dynamic call: `any` makes it visible.
    .enableUpcomingFeature("ExistentialAny"),
    // An import is private to its file unless the API needs it: modules do not leak into each other.
    .enableUpcomingFeature("InternalImportsByDefault"),
    // A member is visible only where its module is imported, so that the import table is the truth.
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
  + (isDependency
    ? []
    : [
      // Small functions called across modules (float writer, spans) are inlined in release builds.
      .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
      // A third of the compiler's default (1,000,000), so that expressions near the limit are found
      // before another compiler refuses them.
      .unsafeFlags(
        ["-Xfrontend", "-solver-scope-threshold=300000"], .when(configuration: .debug)),
    ])

let cSettings: [CSetting] =
  [
    .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
  ]
  + (isDependency
    ? []
    : [
      // In debug builds too, so that tests with real weights are fast.
      .unsafeFlags(["-O3"])
    ])

let package = Package(
  name: "bert-server",
  products: [
    .executable(name: "bert-server", targets: ["bert-server"]),
    // For other packages: a model folder, or its encoder and its tokenizer alone.
    .library(name: "Models", targets: ["Models", "EncoderContract"]),
    .library(name: "BERT", targets: ["BERT", "Checkpoints", "EncoderContract"]),
    .library(name: "Tokenizers", targets: ["Tokenizers", "EncoderContract"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    // Without its default traits it does not bring Foundation along.
    .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0", traits: []),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
  ],
  targets: [
    .target(name: "CKernels", cSettings: cSettings, linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CPlatform", cSettings: cSettings),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "COpenSSL", cSettings: cSettings,
      linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CDigest", cSettings: cSettings, linkerSettings: [.linkedLibrary("crypto")]),
    .target(name: "EncoderContract", swiftSettings: swiftSettings),
    .target(name: "UntrustedInput", swiftSettings: swiftSettings),
    .target(name: "JSON", dependencies: ["UntrustedInput"], swiftSettings: swiftSettings),
    .target(name: "TensorFormats", dependencies: ["JSON"], swiftSettings: swiftSettings),
    .target(
      name: "Tokenizers", dependencies: ["EncoderContract", "JSON", "UntrustedInput"],
      swiftSettings: swiftSettings),
    .target(
      name: "Checkpoints", dependencies: ["EncoderContract", "JSON", "UntrustedInput"],
      swiftSettings: swiftSettings),
    .target(
      name: "BERT", dependencies: ["Checkpoints", "CKernels", "EncoderContract"],
      swiftSettings: swiftSettings),
    .target(
      name: "Models",
      dependencies: ["BERT", "Checkpoints", "CPlatform", "EncoderContract", "Tokenizers"],
      swiftSettings: swiftSettings),
    .target(name: "Batching", dependencies: ["EncoderContract"], swiftSettings: swiftSettings),
    .target(
      name: "HTTP",
      dependencies: [
        "COpenSSL", "CPlatform", "CZlib", "UntrustedInput",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Serving",
      dependencies: [
        "HTTP", "JSON", "UntrustedInput",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Encoding",
      dependencies: [
        "Batching", "EncoderContract", "HTTP", "JSON", "Serving", "TensorFormats", "Tokenizers",
        "UntrustedInput",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Protocols",
      dependencies: [
        "Batching", "EncoderContract", "Encoding", "HTTP", "JSON", "Serving", "TensorFormats",
        "Tokenizers", "UntrustedInput",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      // The page at "/": a part of the binary.
      resources: [
        .embedInCode("Explorer/explorer.html"), .embedInCode("Explorer/explorer.css"),
        .embedInCode("Explorer/words.js"), .embedInCode("Explorer/numbers.js"),
        .embedInCode("Explorer/colors.js"), .embedInCode("Explorer/grid.js"),
        .embedInCode("Explorer/points.js"), .embedInCode("Explorer/tokens.js"),
        .embedInCode("Explorer/link.js"), .embedInCode("Explorer/service.js"),
        .embedInCode("Explorer/results.js"), .embedInCode("Explorer/explorer.js"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Bulk",
      dependencies: [
        "CDigest", "CZlib", "EncoderContract", "JSON", "TensorFormats", "Tokenizers",
        "UntrustedInput",
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Settings", dependencies: ["EncoderContract", "JSON"], swiftSettings: swiftSettings),
    .target(
      name: "HTTPClient", dependencies: ["COpenSSL", "HTTP", "JSON", "UntrustedInput"],
      swiftSettings: swiftSettings),
    .target(
      name: "RecordEncoders",
      dependencies: [
        "BERT", "Bulk", "Checkpoints", "EncoderContract", "HTTPClient", "JSON", "Models",
        "Tokenizers", "UntrustedInput",
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Bench",
      dependencies: ["BERT", "Checkpoints", "EncoderContract", "JSON", "Models", "Tokenizers"],
      swiftSettings: swiftSettings),
    .target(
      name: "Hosting",
      dependencies: [
        "Checkpoints", "CPlatform", "Encoding", "HTTP", "JSON", "Serving", "Settings",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "bert-server",
      dependencies: [
        "Batching", "Bench", "BERT", "Bulk", "Checkpoints", "COpenSSL", "CPlatform",
        "EncoderContract", "Encoding", "Hosting", "HTTP", "HTTPClient", "JSON", "Models",
        "Protocols", "RecordEncoders", "Serving", "Settings", "TensorFormats", "Tokenizers",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .testTarget(
      name: "UntrustedInputTests", dependencies: ["UntrustedInput"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "JSONTests",
      dependencies: [
        "JSON", "TensorFormats", "TestSupport", "UntrustedInput",
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "TokenizersTests", dependencies: ["EncoderContract", "TestSupport", "Tokenizers"],
      // Goldens, and the scripts that made them.
      exclude: ["Fixtures"], swiftSettings: swiftSettings),
    .testTarget(
      name: "CheckpointsTests",
      dependencies: ["Checkpoints", "EncoderContract", "JSON", "TestSupport"],
      // Small models, and the scripts that made them.
      exclude: ["Fixtures"], swiftSettings: swiftSettings),
    .testTarget(
      name: "BERTTests",
      dependencies: ["BERT", "Checkpoints", "CKernels", "EncoderContract", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ModelsTests", dependencies: ["BERT", "CPlatform", "Models"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "BatchingTests", dependencies: ["Batching", "EncoderContract", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "HTTPTests",
      dependencies: [
        "COpenSSL", "CPlatform", "CZlib", "HTTP", "TestSupport",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      // Certificates, and the script that made them.
      exclude: ["Fixtures"], swiftSettings: swiftSettings),
    .testTarget(
      name: "SettingsTests", dependencies: ["JSON", "Settings", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ServingTests",
      dependencies: [
        "HTTP", "HTTPClient", "JSON", "Serving",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ProtocolsTests",
      dependencies: [
        "Batching", "EncoderContract", "Encoding", "HTTP", "JSON", "Protocols", "Serving",
        "TensorFormats", "TestSupport", "Tokenizers", "UntrustedInput",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "HTTPClientTests",
      dependencies: [
        "HTTP", "HTTPClient", "JSON",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "RecordEncodersTests",
      dependencies: ["Bulk", "EncoderContract", "RecordEncoders"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "BenchTests", dependencies: ["Bench", "EncoderContract"], swiftSettings: swiftSettings),
    .testTarget(
      name: "HostingTests",
      dependencies: [
        "Hosting", "HTTP", "JSON", "Serving", "Settings",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(name: "LayoutTests", swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)

// `make fuzz`: an executable that only libFuzzer's main function completes.
if Context.environment["BERT_SERVER_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        "Batching", "Checkpoints", "CKernels", "EncoderContract", "Encoding", "HTTP", "HTTPClient",
        "JSON", "Models", "Protocols", "Serving", "TestSupport", "Tokenizers",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      path: "Tests/Fuzz", exclude: ["Corpora", "limits.dict"], swiftSettings: swiftSettings))
}
