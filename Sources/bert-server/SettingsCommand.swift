import ArgumentParser
import Settings

/// Every setting with its default: the file to start from.
struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Prints a settings file with every default.")

  @Flag(help: "Print the table of config/SETTINGS.md instead.")
  var markdown = false

  func run() {
    print(markdown ? Settings.markdownTable() : Settings.defaultFile(), terminator: "")
  }
}
