import FoundationEssentials
import JSON
import TestSupport
import Testing

@testable import Settings

@Suite struct SettingsTests {
  private func file(_ json: String) -> (path: String, bytes: [UInt8]) {
    ("settings.json", Array(json.utf8))
  }

  private func refusal(
    file json: String? = nil, environment: [String: String] = [:], flags: [String: [String]] = [:]
  ) -> SettingsError? {
    do throws(SettingsError) {
      _ = try Settings.resolve(
        file: json.map { file($0) }, environment: environment, flags: flags)
      return nil
    } catch {
      return error
    }
  }

  // MARK: Order

  @Test func nothingGivenIsTheDefaults() throws {
    #expect(try Settings.resolve() == Settings())
    #expect(try Settings.resolve(file: file("{}"), environment: ["PATH": "/bin"]) == Settings())
  }

  @Test func laterSourcesGoBefore() throws {
    let json = #"{"port": 1, "threads": 1, "log_level": "debug"}"#
    let environment = ["BERT_SERVER_PORT": "2", "BERT_SERVER_THREADS": "2"]
    let settings = try Settings.resolve(
      file: file(json), environment: environment, flags: ["--port": ["3"]])
    #expect(settings.port == 3 && settings.threads == 2 && settings.logLevel == .debug)
    #expect(settings.host == "127.0.0.1")
  }

  @Test func everySettingIsSetFromEverySource() throws {
    let values = [
      "model": "a", "precision": "bfloat16", "tokenizer_rules": "tensorflow",
      "letter_case": "keep", "kernels": "scalar", "host": "::",
      "log_level": "trace", "log_format": "json", "max_tokens": "3", "max_queue_tokens": "9999",
      "max_buffered_bytes": "99999999",
      "compression": "all",
      "base_path": "/a/b", "pooling": "cls",
      "metrics_access": "open", "cors_origins": "https://a.b:8443",
    ]
    for setting in Settings.all {
      let text = values[setting.key] ?? "7777"
      let value = ["seconds", "ms", "json_depth", "io_queues", "threads"].reduce(text) {
        text, end in
        setting.key.hasSuffix(end) ? "7" : text
      }
      let json = setting.isNumber ? value : "\"\(value)\""
      // What does not go without others, given in another way.
      var needed: [String: [String]] = [:]
      if setting.key.hasPrefix("tls_") {
        needed = ["--tls-certificate": ["a"], "--tls-key": ["a"]]
        needed[setting.flag] = nil
      }
      let fromFile = try Settings.resolve(
        file: file("{\"\(setting.key)\": \(json)}"), flags: needed)
      #expect(setting.read(fromFile) == [value])
      #expect(fromFile != Settings(), "\(setting.key)")
      #expect(
        try Settings.resolve(
          environment: [setting.environmentVariable: value], flags: needed) == fromFile)
      needed[setting.flag] = [value]
      #expect(try Settings.resolve(flags: needed) == fromFile)
    }
  }

  // MARK: Values

  @Test(arguments: ["tls_certificate", "tls_key", "tls_client_ca"])
  func halfOfTLSIsRefused(key: String) throws {
    let error = try #require(refusal(environment: ["BERT_SERVER_\(key.uppercased())": "a.pem"]))
    guard case .conflict = error else {
      Issue.record("\(error)")
      return
    }
    #expect("\(error)".contains("BERT_SERVER_\(key.uppercased())"))
  }

  @Test func durationsMayBeFractions() throws {
    let settings = try Settings.resolve(
      file: file(#"{"idle_timeout_seconds": 0.25, "drain_seconds": 0}"#),
      environment: ["BERT_SERVER_BATCH_MAX_WAIT_MS": "1.5"])
    #expect(settings.idleTimeout == .milliseconds(250))
    #expect(settings.drainTime == .zero)
    #expect(settings.batchMaxWait == .microseconds(1500))
  }

  @Test func modelsHaveNames() throws {
    let flags = ["--model": ["/models/minilm/", "base=/models/x=y", "./模型"]]
    #expect(
      refusal(flags: flags)
        == .impossible(
          .flag("--model"), value: "/models/minilm/, base=/models/x=y, ./模型",
          values: Settings.all[0].values),
      "it has no letters for a URL")
    let models = [
      ModelFolder(name: "minilm", path: "/models/minilm/"),
      ModelFolder(name: "base", path: "/models/x=y"),
    ]
    #expect(
      try Settings.resolve(flags: ["--model": Array(flags["--model"]!.prefix(2))]).models == models)
    #expect(
      try Settings.resolve(
        environment: ["BERT_SERVER_MODEL": "/models/minilm/,base=/models/x=y"]
      ).models == models)
    #expect(
      try Settings.resolve(file: file(#"{"model": ["/models/minilm/", "base=/models/x=y"]}"#))
        .models == models)
    for texts in [["a", "b/a"], [""], ["/"], ["x="], ["é"], ["模型"], ["=x"], ["é=x"]] {
      #expect(refusal(flags: ["--model": texts]) != nil, "\(texts)")
    }
    #expect(refusal(file: #"{"model": []}"#) != nil)
  }

  @Test(arguments: [
    ("models/my model", "my-model"), ("modèle-é", "mod-le-"), ("a/b/.", "b"), ("a/../b/", "b"),
    ("/x/./y/..", "x"), ("bert@main", "bert-main"), ("my.e5-v1.5_b", "my.e5-v1.5_b"),
  ])
  func aFolderGivesAName(path: String, name: String) throws {
    let models = try Settings.resolve(flags: ["--model": [path]]).models
    #expect(models == [ModelFolder(name: name, path: path)])
  }

  @Test func theFolderThatTheProcessIsIn() throws {
    let parts = FileManager.default.currentDirectoryPath.split(separator: "/").map { String($0) }
    #expect(try Settings.resolve(flags: ["--model": ["."]]).models[0].name == parts.last)
    let above = try? Settings.resolve(flags: ["--model": ["./.."]]).models[0].name
    #expect(above == parts.dropLast().last)
  }

  @Test func otherNamesOfModels() throws {
    let given = ["text-embedding-ada-002,b=BAAI/bge", "*"]
    let flags = ["--model": ["a", "b"], "--served-model-name": given]
    #expect(
      try Settings.resolve(flags: flags).servedModelNames == [
        ServedName(name: "text-embedding-ada-002"), ServedName(model: "b", name: "BAAI/bge"),
        ServedName(name: "*"),
      ])
    for names in [["c=x"], ["x", "b=x"], ["b"], ["b=a"]] {
      guard
        case .conflict = refusal(flags: ["--model": ["a", "b"], "--served-model-name": names])
      else {
        Issue.record("\(names) are accepted, or refused for another reason")
        continue
      }
    }
    for names in [
      ["a b"], ["é"], ["a=b=c"], ["a="], ["gpt-*"], [String(repeating: "x", count: 257)],
    ] {
      guard case .impossible = refusal(flags: ["--served-model-name": names]) else {
        Issue.record("\(names) are accepted, or refused for another reason")
        continue
      }
    }
  }

  @Test(arguments: [
    ("cors_origins", ["https://a.b:8443", "null", "app://obsidian.md", "chrome-extension://abc"]),
    ("cors_origins", ["*"]), ("cors_origins", ["file://"]), ("base_path", ["/a-b/c.d"]),
    ("base_path", [""]),
  ])
  func namesOfPlacesThatArePossible(key: String, values: [String]) throws {
    let setting = try #require(Settings.all.first { $0.key == key })
    #expect(setting.read(try Settings.resolve(flags: [setting.flag: values])) == values)
    let list = try Settings.resolve(flags: [setting.flag: [values.joined(separator: ",")]])
    #expect(setting.read(list) == values)
  }

  @Test func aSlashAtTheEndOfAPrefixIsNoPart() throws {
    #expect(try Settings.resolve(flags: ["--base-path": ["/a/"]]).basePath == "/a")
    #expect(try Settings.resolve(flags: ["--base-path": ["/"]]).basePath == "")
  }

  @Test(arguments: [
    ("cors_origins", "https://"), ("cors_origins", "a.example"), ("cors_origins", "https://A.b"),
    ("cors_origins", "https://a/b"), ("cors_origins", "://a"), ("cors_origins", "1a://b"),
    ("base_path", "a"), ("base_path", "/a//b"), ("base_path", "/a/../b"), ("base_path", "/é"),
    ("base_path", "/a?b"), ("pooling", "sum"),
    ("port", "65536"), ("port", "-1"), ("port", "http"), ("port", "80.5"), ("port", ""),
    ("threads", "1025"), ("threads", "99999999999999999999"), ("max_tokens", "1"),
    ("idle_timeout_seconds", "nan"), ("idle_timeout_seconds", "inf"),
    ("idle_timeout_seconds", "0"), ("idle_timeout_seconds", "1e9"), ("host", ""),
    ("precision", "int4"), ("log_level", "INFO"), ("max_json_depth", "0"),
  ])
  func impossibleValuesAreRefused(key: String, value: String) throws {
    let setting = try #require(Settings.all.first { $0.key == key })
    let error = try #require(refusal(flags: [setting.flag: [value]]))
    #expect(error == .impossible(.flag(setting.flag), value: value, values: setting.values))
    #expect("\(error)".contains(setting.flag) && "\(error)".contains(setting.values))
  }

  @Test(arguments: [
    #"{"port": "80"}"#, #"{"port": true}"#, #"{"port": null}"#, #"{"port": [80]}"#,
    #"{"port": 80.5}"#, #"{"port": {}}"#, #"{"host": 127}"#, #"{"model": [1]}"#,
    #"{"model": {"a": "b"}}"#,
  ])
  func valuesOfTheWrongKindAreRefused(json: String) throws {
    guard case .impossible(.file("settings.json", let key), _, _) = refusal(file: json) else {
      Issue.record("accepted, or refused for another reason")
      return
    }
    #expect(json.contains("\"\(key)\""))
  }

  // MARK: Messages

  @Test func messagesSayWhichWhereAndWhat() {
    let cases: [(SettingsError?, String)] = [
      (
        refusal(file: #"{"max_body_byte": 1}"#),
        #""max_body_byte" in settings.json is no setting; did you mean max_body_bytes?"#
      ),
      (
        refusal(environment: ["BERT_SERVER_THREAD": "2"]),
        "environment variable BERT_SERVER_THREAD is no setting; did you mean BERT_SERVER_THREADS?"
      ),
      (
        refusal(flags: ["--workers": ["2"]]),
        "flag --workers is no setting: remove it; config/SETTINGS.md lists all"
      ),
      (
        refusal(environment: ["BERT_SERVER_LOG_FORMAT": "xml"]),
        "environment variable BERT_SERVER_LOG_FORMAT cannot be xml: it must be text, json"
      ),
      (
        refusal(file: #"{"port": "80"}"#),
        #""port" in settings.json cannot be "80": it must be 1 to 65535, or 0: a free port, which is printed"#
      ),
      (
        refusal(flags: ["--port": ["1", "2"]]),
        "flag --port is given 2 times (1, 2): keep one"
      ),
      (
        refusal(environment: ["BERT_SERVER_MAX_TOKENS": "2000"]),
        "environment variable BERT_SERVER_MAX_TOKENS and the default of max_batch_tokens do not go "
          + "together: a text of 2000 tokens would not fit in a batch of 1024"
      ),
      (
        refusal(file: #"{"max_queue_tokens": 5}"#, flags: ["--max-batch-tokens": ["9"]]),
        #"flag --max-batch-tokens and "max_queue_tokens" in settings.json do not go together: "#
          + "a queue of 5 tokens would not fill a batch of 9"
      ),
      (
        refusal(file: "[]"),
        "settings.json cannot be read as settings: it is an array, a JSON object is needed"
      ),
      (
        refusal(file: "\u{FEFF}{\"port\": 1, \"//\": 2, \"//\": 3, \"port\": 1}"),
        "settings.json cannot be read as settings: 'port' is given twice: keep one"
      ),
    ]
    for (error, message) in cases {
      #expect(error.map { "\($0)" } == message)
    }
  }

  @Test(arguments: [
    ("", "line 1: the JSON text ends too early, after 0 bytes: it is empty"),
    ("{", "line 1: the JSON text ends too early, after 1 bytes"),
    ("{\n\"port\": 80,\n}", "line 3: byte 14: } where a name in quotes is expected"),
    ("{\"port\": 08}", "line 1: 'port': byte 9: not a JSON number"),
    ("\u{FEFF}", "line 1: the JSON text ends too early, after 3 bytes"),
    ("{\"port\": NaN}", "line 1: 'port': byte 9: N where a value is expected"),
    ("{\"port\": 80}\r\nx", "line 2: byte 14: something follows the JSON value"),
    ("nonsense", "line 1: byte 1: o where null is expected"),
  ])
  func brokenFilesAreRefused(text: String, place: String) {
    #expect(
      refusal(file: text).map { "\($0)" }
        == "settings.json cannot be read as settings: it is not valid JSON, mend \(place)")
  }

  @Test func deepFilesAreRefused() {
    let error = refusal(file: String(repeating: "[", count: 100_000)).map { "\($0)" }
    #expect(error?.contains("more than 64 arrays and objects") == true, "\(error ?? "")")
  }

  /// Windows' Notepad puts a byte order mark before a file.
  @Test func filesOfEditorsAreRead() throws {
    let settings = try Settings.resolve(
      file: file("\u{FEFF}{\r\n  \"port\": 8.2e1, \"threads\": 2.0\r\n}\r\n"))
    #expect(settings.port == 82 && settings.threads == 2)
  }

  @Test func randomBytesDoNotCrash() {
    var generator = SeededGenerator()
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
      #expect(throws: SettingsError.self, "\(bytes)") {
        try Settings.resolve(file: ("noise", bytes))
      }
    }
  }

  // MARK: Environment

  @Test func kubernetesServiceLinksAreNotSettings() throws {
    let links = [
      "BERT_SERVER_PORT": "tcp://10.96.0.7:80", "BERT_SERVER_SERVICE_HOST": "10.96.0.7",
      "BERT_SERVER_SERVICE_PORT": "80", "BERT_SERVER_SERVICE_PORT_HTTP": "80",
      "BERT_SERVER_PORT_80_TCP": "tcp://10.96.0.7:80", "BERT_SERVER_PORT_80_TCP_ADDR": "10.96.0.7",
      "BERT_SERVER_PORT_80_TCP_PORT": "80", "BERT_SERVER_PORT_80_TCP_PROTO": "tcp",
    ]
    #expect(try Settings.resolve(environment: links) == Settings())
  }

  @Test func emptyVariablesAndTheFileVariableAreNoValues() throws {
    let environment = ["BERT_SERVER_PORT": "", "BERT_SERVER_CONFIG": "a.json"]
    #expect(try Settings.resolve(environment: environment) == Settings())
  }

  // MARK: The table

  @Test func everyPropertyHasOneRow() {
    #expect(Mirror(reflecting: Settings()).children.count == Settings.all.count)
    #expect(Set(Settings.all.map(\.key)).count == Settings.all.count)
    for setting in Settings.all {
      #expect(setting.key.allSatisfy { $0 == "_" || ("a"..."z").contains($0) })
      var settings = Settings()
      let defaults = setting.defaultValues
      #expect(setting.write(&settings, defaults) && settings == Settings(), "\(setting.key)")
      let line = setting.documentation
      #expect(!line.isEmpty && !line.contains("\n") && !line.contains("|") && line.last != ".")
    }
    let bodyLimit = Settings.all.first { $0.key == "max_body_bytes" }
    #expect(bodyLimit?.flag == "--max-body-bytes")
    #expect(bodyLimit?.environmentVariable == "BERT_SERVER_MAX_BODY_BYTES")
  }

  @Test func theTableHasARowForEach() {
    let lines = Settings.markdownTable().split(separator: "\n")
    #expect(lines.count == Settings.all.count + 2)
    #expect(lines.allSatisfy { $0.count { $0 == "|" } == 7 })
  }

  @Test func theCommittedFileHasEveryDefault() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let bytes = try Array(Data(contentsOf: root.appending(path: "config/bert-server.json")))
    #expect(
      String(decoding: bytes, as: UTF8.self) == Settings.defaultFile(),
      "config/bert-server.json is to be what Settings.defaultFile() gives")
    #expect(try Settings.resolve(file: ("config/bert-server.json", bytes)) == Settings())

    guard case .object(let object) = try JSONParser.parse(bytes) else {
      Issue.record("no object")
      return
    }
    let members = object.keys.map(\.string)
    #expect(Set(members.filter { !$0.hasPrefix("//") }) == Set(Settings.all.map(\.key)))
    #expect(Set(members) == Set(Settings.all.flatMap { [$0.key, "//\($0.key)"] } + ["//"]))
  }
}
