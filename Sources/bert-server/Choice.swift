import ArgumentParser
import Settings

/// A flag's value that is one of a few names.
///
/// - Throws: `ValidationError`, with all of them.
func chosen<Value: RawRepresentable<String> & CaseIterable>(_ name: String) throws -> Value {
  guard let value = Value(rawValue: name) else {
    let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("unknown value '\(name)'; use one of \(names)")
  }
  return value
}

/// The setting `letter_case`, for commands without settings.
struct LetterCaseFlag: ParsableArguments {
  @Option(
    name: .customLong("letter-case"),
    help: "Case of text for folders without do_lower_case: auto, lower, keep.", transform: chosen)
  var value = LetterCase.auto
}

extension LetterCase {
  /// Nil: the folder's vocabulary or framework decides.
  var lowercases: Bool? {
    switch self {
    case .auto: nil
    case .lower: true
    case .keep: false
    }
  }
}
