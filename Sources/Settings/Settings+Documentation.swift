extension Settings {
  /// The table of config/SETTINGS.md.
  public static func markdownTable() -> String {
    let rows = all.map { setting in
      [
        "`\(setting.key)`", "`\(setting.flag)`", "`\(setting.environmentVariable)`",
        "`\(setting.defaultValues.joined(separator: ","))`", setting.values,
        setting.documentation,
      ]
    }
    let head = ["in the file", "flag", "environment", "default", "values", "meaning"]
    return ([head, head.map { _ in "---" }] + rows)
      .map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }

  /// The documented file of all defaults, `config/bert-server.json`.
  ///
  /// JSON has no comments, and a file that needs a reader of its own is no JSON: so each setting's
  /// meaning stands before it as a member that starts with `//`, which the reader passes over.
  public static func defaultFile() -> String {
    var members = [
      member(
        "//",
        json(
          """
          Settings of bert-server with their defaults; environment variables and flags override \
          them. Members that start with // are comments.
          """))
    ]
    for setting in all {
      let values = setting.defaultValues.map { setting.isNumber ? $0 : json($0) }
      members.append(
        member("//\(setting.key)", json("\(setting.documentation). Values: \(setting.values)."))
          + ",\n"
          + member(
            setting.key, setting.isRepeatable ? "[\(values.joined(separator: ", "))]" : values[0]))
    }
    return "{\n" + members.joined(separator: ",\n\n") + "\n}\n"
  }

  private static func member(_ key: String, _ value: String) -> String {
    "  \(json(key)): \(value)"
  }

  /// A JSON string. The texts of this module hold no control characters.
  private static func json(_ text: String) -> String {
    "\"" + text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
  }
}
