import ArgumentParser

/// The version that `--version`, `/info` and `/metrics` tell.
let version = "0.1.0"

@main
struct BertServer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bert-server",
    abstract: "Encodes text with BERT on CPUs, over HTTP.",
    version: version,
    subcommands: [
      ServeCommand.self, InspectCommand.self, TokenizeCommand.self, HealthcheckCommand.self,
      EncodeCommand.self, BenchCommand.self, SettingsCommand.self,
    ],
    defaultSubcommand: ServeCommand.self)
}
