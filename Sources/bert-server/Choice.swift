import ArgumentParser

/// A flag's value that is one of a few names.
///
/// - Throws: `ValidationError`, with all of them.
func chosen<Value: RawRepresentable<String> & CaseIterable>(_ name: String) throws -> Value {
  guard let value = Value(rawValue: name) else {
    let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("there is no '\(name)'; there is \(names)")
  }
  return value
}
