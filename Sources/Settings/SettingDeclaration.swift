/// One setting: its names, values, default and meaning.
public struct SettingDeclaration: Sendable {
  /// Name in the file: words with underscores. The other names are made from it.
  public let key: String
  /// One line.
  public let documentation: String
  /// The values that are possible, in words.
  public let values: String
  /// May be given several times, and as a list in the file.
  public let isRepeatable: Bool
  /// A JSON number in the file, else a string.
  let isNumber: Bool
  let read: @Sendable (Settings) -> [String]
  /// False if the values are impossible.
  let write: @Sendable (inout Settings, [String]) -> Bool

  /// `max_body_bytes` → `--max-body-bytes`.
  public var flag: String { "--" + String(key.map { $0 == "_" ? "-" : $0 }) }

  /// `max_body_bytes` → `BERT_SERVER_MAX_BODY_BYTES`.
  public var environmentVariable: String { Self.environmentPrefix + key.uppercased() }

  /// One value, or several if it is repeatable.
  public var defaultValues: [String] { read(Settings()) }

  static let environmentPrefix = "BERT_SERVER_"
}

extension SettingDeclaration {
  typealias Property<Value> = any WritableKeyPath<Settings, Value> & Sendable

  /// - Parameter zero: what 0 means, if it is possible besides the range.
  static func integer(
    _ key: String, _ property: Property<Int>,
    _ range: ClosedRange<Int>, zero: String? = nil, _ documentation: String
  ) -> Self {
    let orZero = zero.map { ", or 0: \($0)" } ?? ""
    return single(
      key, documentation, isNumber: true,
      values: "\(range.lowerBound) to \(range.upperBound)\(orZero)"
    ) {
      String($0[keyPath: property])
    } write: { settings, text in
      guard let value = Int(text), range.contains(value) || zero != nil && value == 0 else {
        return false
      }
      settings[keyPath: property] = value
      return true
    }
  }

  static func seconds(
    _ key: String, _ property: Property<Duration>,
    _ range: ClosedRange<Double>, _ documentation: String
  ) -> Self {
    duration(key, property, range, unit: .seconds(1), documentation)
  }

  static func milliseconds(
    _ key: String, _ property: Property<Duration>,
    _ range: ClosedRange<Double>, _ documentation: String
  ) -> Self {
    duration(key, property, range, unit: .milliseconds(1), documentation)
  }

  private static func duration(
    _ key: String, _ property: Property<Duration>,
    _ range: ClosedRange<Double>, unit: Duration, _ documentation: String
  ) -> Self {
    single(
      key, documentation, isNumber: true,
      values: "\(decimal(range.lowerBound)) to \(decimal(range.upperBound)), fractions too"
    ) {
      decimal($0[keyPath: property] / unit)
    } write: { settings, text in
      guard let value = Double(text), range.contains(value) else { return false }
      settings[keyPath: property] = unit * value
      return true
    }
  }

  /// Without a fraction that is none: 60, not 60.0.
  private static func decimal(_ value: Double) -> String {
    Int(exactly: value).map { String($0) } ?? "\(value)"
  }

  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ key: String, _ property: Property<Value>,
    _ documentation: String
  ) -> Self {
    single(
      key, documentation, values: Value.allCases.map(\.rawValue).joined(separator: ", ")
    ) {
      $0[keyPath: property].rawValue
    } write: { settings, text in
      guard let value = Value(rawValue: text) else { return false }
      settings[keyPath: property] = value
      return true
    }
  }

  /// - Parameter empty: what an empty text means, if it is possible.
  static func text(
    _ key: String, _ property: Property<String>, empty: String? = nil, _ documentation: String
  ) -> Self {
    single(
      key, documentation, values: empty.map { "a text, or empty: \($0)" } ?? "a text, not empty"
    ) {
      $0[keyPath: property]
    } write: { settings, text in
      settings[keyPath: property] = text
      return !text.isEmpty || empty != nil
    }
  }

  private static func single(
    _ key: String, _ documentation: String, isNumber: Bool = false, values: String,
    read: @escaping @Sendable (Settings) -> String,
    write: @escaping @Sendable (inout Settings, String) -> Bool
  ) -> Self {
    .init(
      key: key, documentation: documentation, values: values, isRepeatable: false,
      isNumber: isNumber, read: { [read($0)] },
      write: { settings, texts in texts.count == 1 && write(&settings, texts[0]) })
  }
}
