import FoundationEssentials
import Serving
import Settings
import Testing

@testable import Hosting

/// What is read of files.
@Suite final class FilesTests {
  private let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.path + "/\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func write(_ name: String, _ text: String) throws -> String {
    let path = "\(folder)/\(name)"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  @Test func aStampTellsChangesAndReplacements() throws {
    #expect(FileStamp("\(folder)/a") == nil)
    let path = try write("a", "1")
    let stamp = try #require(FileStamp(path))
    #expect(FileStamp(path) == stamp)
    _ = try write("a", "1")
    #expect(FileStamp(path) != stamp, "another file under the same name")
  }

  @Test func aFolderUnderTwoNamesIsOne() throws {
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/link", withDestinationPath: folder)
    let names = [
      ModelFolder(name: "a", path: folder), ModelFolder(name: "b", path: "\(folder)/none"),
      ModelFolder(name: "c", path: "\(folder)/link"),
    ]
    let (folders, indices) = ModelNames.distinct(names)
    #expect(folders == Array(names[..<2]))
    #expect(indices == [0, 1, 0])
  }

  @Test(arguments: [
    (#"{"_name_or_path": "owner/NAME"}"#, true), (#"{"name_or_path": "owner/NAME"}"#, true),
    (#"{"_name_or_path": "owner/other"}"#, false), (#"{"_name_or_path": "NAME"}"#, false),
    (#"{"_name_or_path": "/NAME"}"#, false), (#"{"_name_or_path": 5}"#, false), ("[", false),
  ])
  func theHubsNameIsTakenIfItIsTheFolders(json: String, isTaken: Bool) throws {
    let own = String(folder.split(separator: "/").last ?? "")
    _ = try write("config.json", json.replacing("NAME", with: own))
    let name = ModelNames.hubName(of: ModelFolder(name: "a", path: folder))
    #expect(name == (isTaken ? "owner/\(own)" : nil))
  }

  @Test func keysComeFromBothPlaces() throws {
    var settings = Settings()
    #expect(try KeySources(settings, environment: [:]) == nil)
    let environment = [Settings.keysVariable: "from-the-environment"]
    _ = try KeySources(settings, environment: environment)?.load()
    settings.apiKeyFile = "\(folder)/keys"
    let sources = try #require(try KeySources(settings, environment: environment))
    #expect(throws: KeySourceError.self) { try sources.load() }
    _ = try write("keys", "# none\n")
    #expect(throws: KeySourceError.self) { try sources.load() }
    _ = try write("keys", "from-the-file\n")
    _ = try sources.load()
  }

  @Test func anErrorShowsNoKey() throws {
    let secret = "a secret"
    do {
      _ = try KeySources(Settings(), environment: [Settings.keysVariable: secret])
      Issue.record("a key with a space is taken")
    } catch {
      #expect(!error.description.contains(secret))
    }
  }
}
