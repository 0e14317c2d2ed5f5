import FoundationEssentials
import JSON

extension Settings {
  /// The variable that names the settings file, as `--config` does; it is no setting itself.
  public static let fileVariable = SettingDeclaration.environmentPrefix + "CONFIG"
  /// The variable of API keys, with commas between them; no setting either, so that no key stands
  /// in a list of processes, or in an error's message.
  public static let keysVariable = SettingDeclaration.environmentPrefix + "API_KEYS"

  /// - Parameter config: path of the settings file; the environment's when not given.
  public static func resolve(
    config: String?, environment: [String: String], flags: [String: [String]] = [:]
  ) throws(SettingsError) -> Settings {
    var file: (path: String, bytes: [UInt8])?
    if let path = config ?? environment[fileVariable] {
      guard let bytes = FileManager.default.contents(atPath: path) else {
        throw .unreadable(path: path)
      }
      file = (path, Array(bytes))
    }
    return try resolve(file: file, environment: environment, flags: flags)
  }

  /// The settings, of the given sources and the defaults.
  ///
  /// - Parameters:
  ///   - file: a JSON object of keys and values; members whose name starts with `//` are comments.
  ///   - environment: the whole of it; what does not start with `BERT_SERVER_` is not looked at,
  ///     and an empty value is none.
  ///   - flags: those that were given, as `--name`, with their values.
  /// - Throws: the first thing that is wrong.
  public static func resolve(
    file: (path: String, bytes: [UInt8])? = nil, environment: [String: String] = [:],
    flags: [String: [String]] = [:]
  ) throws(SettingsError) -> Settings {
    var resolution = Resolution()
    if let file { try resolution.take(file: file.path, bytes: file.bytes) }
    try resolution.take(environment: environment)
    try resolution.take(flags: flags)
    return try resolution.checked()
  }
}

/// Settings in the making.
private struct Resolution {
  private var settings = Settings()
  /// Where each setting's value is from that is not the default.
  private var sources: [String: SettingSource] = [:]

  mutating func take(file path: String, bytes: [UInt8]) throws(SettingsError) {
    for (name, value) in try members(of: bytes, path: path)
    where name.dropping(prefix: "//") == nil {
      let key = name.string
      let source = SettingSource.file(path: path, key: key)
      let setting = try find(key, \.key, source)
      let texts = value.texts(isNumber: setting.isNumber)
      let isList = if case .array = value { !texts.isEmpty } else { false }
      try set(setting, texts, source, shown: isList ? "\(texts)" : value.shown)
    }
  }

  mutating func take(environment: [String: String]) throws(SettingsError) {
    for (variable, text) in environment.sorted(by: { $0.key < $1.key })
    where variable.hasPrefix(SettingDeclaration.environmentPrefix)
      && variable != Settings.fileVariable && variable != Settings.keysVariable && !text.isEmpty
      && !isServiceLink(variable, text)
    {
      let source = SettingSource.environment(variable: variable)
      let setting = try find(variable, \.environmentVariable, source)
      let texts = setting.isRepeatable ? text.split(separator: ",").map { String($0) } : [text]
      try set(setting, texts, source, shown: text)
    }
  }

  mutating func take(flags: [String: [String]]) throws(SettingsError) {
    for (flag, texts) in flags.sorted(by: { $0.key < $1.key }) where !texts.isEmpty {
      let source = SettingSource.flag(flag)
      let setting = try find(flag, \.flag, source)
      try set(setting, texts, source, shown: texts.joined(separator: ", "))
    }
  }

  /// Settings that are possible each, but not together.
  func checked() throws(SettingsError) -> Settings {
    try check(
      settings.maxTokens <= settings.maxBatchTokens, "max_tokens", "max_batch_tokens",
      "a text of \(settings.maxTokens) tokens would not fit in a batch of "
        + "\(settings.maxBatchTokens)")
    try check(
      settings.maxBatchTokens <= settings.maxQueueTokens, "max_batch_tokens", "max_queue_tokens",
      "a queue of \(settings.maxQueueTokens) tokens would not fill a batch of "
        + "\(settings.maxBatchTokens)")
    for other in settings.servedModelNames {
      try check(
        other.model == nil || settings.models.contains { $0.name == other.model },
        "served_model_name", "model",
        "there is no model '\(other.model ?? "")' that '\(other.name)' could be a name of")
    }
    var models = Dictionary(uniqueKeysWithValues: settings.models.map { ($0.name, $0.name) })
    for other in settings.servedModelNames {
      let model = other.model ?? settings.models[0].name
      let before = models.updateValue(model, forKey: other.name) ?? model
      try check(
        before == model, "served_model_name", "model",
        "'\(other.name)' would be a name of both '\(before)' and '\(model)'")
    }
    try check(
      settings.tlsCertificate.isEmpty == settings.tlsKey.isEmpty, "tls_certificate", "tls_key",
      "TLS needs both: give the other too")
    try check(
      settings.tlsClientCA.isEmpty || !settings.tlsCertificate.isEmpty, "tls_client_ca",
      "tls_certificate", "only over TLS does a client show a certificate: give tls_certificate")
    return settings
  }

  private func check(
    _ isPossible: Bool, _ first: String, _ second: String, _ reason: @autoclosure () -> String
  ) throws(SettingsError) {
    if isPossible { return }
    let places = [first, second].map { sources[$0] ?? .default(key: $0) }
    throw .conflict(places[0], places[1], reason: reason())
  }

  private mutating func set(
    _ setting: SettingDeclaration, _ texts: [String], _ source: SettingSource, shown: String
  ) throws(SettingsError) {
    if texts.count > 1 && !setting.isRepeatable { throw .repeated(source, values: texts) }
    guard setting.write(&settings, texts) else {
      throw .impossible(source, value: shown, values: setting.values)
    }
    sources[setting.key] = source
  }

  private func find(
    _ name: String, _ property: (SettingDeclaration) -> String, _ source: SettingSource
  ) throws(SettingsError) -> SettingDeclaration {
    if let setting = Settings.all.first(where: { property($0) == name }) { return setting }
    let nearest = Settings.all.map { (property($0), editDistance(property($0), name)) }
      .min { $0.1 < $1.1 }
    throw .unknown(source, nearest: nearest.flatMap { $0.1 <= 3 ? $0.0 : nil })
  }
}

/// Kubernetes puts such variables into every pod beside a Service that is called bert-server
/// (documentation, "Accessing the Service", environment variables): its address, and
/// `BERT_SERVER_PORT=tcp://10.0.0.1:80`. They are not meant for us.
private func isServiceLink(_ variable: String, _ text: String) -> Bool {
  let name = variable.dropFirst(SettingDeclaration.environmentPrefix.count)
  return name == "SERVICE_HOST" || name.hasPrefix("SERVICE_PORT")
    || name.hasPrefix("PORT_") || name == "PORT" && text.contains("://")
}

/// Letters to insert, remove or replace until one is the other (Levenshtein, 1966).
private func editDistance(_ first: String, _ second: String) -> Int {
  let second = Array(second)
  var row = Array(0...second.count)
  for (i, letter) in first.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, other) in second.enumerated() {
      let replaced = diagonal + (letter == other ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, diagonal + 1, row[j] + 1)
    }
  }
  return row[second.count]
}

// MARK: - The file

private func members(
  of bytes: [UInt8], path: String
) throws(SettingsError) -> [(key: RawText, value: JSONValue)] {
  let value: JSONValue
  do {
    value = try JSONParser.parse(file: bytes)
  } catch {
    throw .malformed(
      path: path, reason: "it is not valid JSON, mend \(error.message(inFile: bytes))")
  }
  guard case .object(let members) = value else {
    throw .malformed(path: path, reason: "it is \(value.kind), a JSON object is needed")
  }
  if let name = repeatedName(in: bytes) {
    throw .malformed(path: path, reason: "'\(name)' is given twice: keep one")
  }
  return members.sorted { $0.key < $1.key }
}

/// A member's name that stands twice; comments may.
private func repeatedName(in bytes: [UInt8]) -> String? {
  // A byte order mark may stand before it.
  let start = bytes.firstIndex(of: UInt8(ascii: "{")) ?? 0
  var names: Set<String> = []
  var repeated: String?
  try? JSONParser.forEachMember(bytes.span, at: start..<bytes.count) { name, _ in
    if !name.hasPrefix("//"), !names.insert(name).inserted { repeated = name }
  }
  return repeated
}

extension JSONValue {
  /// The values for a setting; none if they are of another kind.
  fileprivate func texts(isNumber: Bool) -> [String] {
    switch self {
    case .string(let text): isNumber ? [] : [text]
    case .integer(let number): isNumber ? ["\(number)"] : []
    // 8080.0 is 8080.
    case .double(let number): isNumber ? [Int(exactly: number)?.description ?? "\(number)"] : []
    case .largeNumber(let text): isNumber ? [text] : []
    case .array(let items) where !isNumber:
      items.allSatisfy { if case .string = $0 { true } else { false } }
        ? items.flatMap { $0.texts(isNumber: false) } : []
    case .null, .boolean, .array, .object: []
    }
  }
}
