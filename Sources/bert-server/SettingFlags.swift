import ArgumentParser
import Settings

/// The flags of `serve`: `--config`, and one for each row of the settings table, which has their
/// meanings, values and defaults. They are kept as they were typed: the table reads them.
///
/// ArgumentParser learns of a command's flags by reflection; this mirror shows it the table's rows.
struct SettingFlags: ParsableArguments, CustomReflectable {
  private(set) var config: String?
  /// What was given, by flag.
  private(set) var given: [String: [String]] = [:]

  init() {}

  var customMirror: Mirror {
    let config = Option<String?>(name: .long, help: "Settings file. Default: BERT_SERVER_CONFIG.")
    let rows = Settings.all.map { setting in
      let name = NameSpecification.customLong(String(setting.flag.dropFirst(2)))
      return (
        setting.key, Option<[String]>(wrappedValue: [], name: name, help: setting.help) as Any
      )
    }
    return Mirror(self, children: [(Key.config.stringValue, config as Any)] + rows)
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    config = try values.decode(Option<String?>.self, forKey: .config).wrappedValue
    for setting in Settings.all {
      given[setting.flag] = try values.decode(
        Option<[String]>.self, forKey: Key(stringValue: setting.key)
      ).wrappedValue
    }
  }

  func resolve(environment: [String: String]) throws(SettingsError) -> Settings {
    try Settings.resolve(config: config, environment: environment, flags: given)
  }

  private struct Key: CodingKey {
    static let config = Key(stringValue: "config")

    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

extension SettingDeclaration {
  fileprivate var help: ArgumentHelp {
    ArgumentHelp(
      "\(documentation). Values: \(values). Default: \(defaultValues.joined(separator: ","))",
      valueName: key == "model" ? "name=dir" : "value")
  }
}
