import Checkpoints
public import Encoding
import JSON
public import Settings

/// Under which names a folder is served.
public enum ModelNames {
  /// The folders, each once under the first of its names, and for each name the index of its folder.
  public static func distinct(_ names: [ModelFolder]) -> (folders: [ModelFolder], indices: [Int]) {
    var folders: [ModelFolder] = []
    let indices = names.map { name in
      if let index = folders.firstIndex(where: { isSame($0, name) }) { return index }
      folders.append(name)
      return folders.count - 1
    }
    return (folders, indices)
  }

  private static func isSame(_ first: ModelFolder, _ second: ModelFolder) -> Bool {
    guard let stamp = FileStamp(first.path) else { return first.path == second.path }
    return stamp == FileStamp(second.path)
  }

  /// The models as they are served, one a name in the order of the names; several may be of one folder.
  ///
  /// - Parameters:
  ///   - models: one of each of the distinct folders.
  ///   - indices: which of them each name is of.
  ///   - names: all folders, with their names.
  public static func named(
    _ models: [ServedModel], _ indices: [Int], as names: [ModelFolder], _ others: [ServedName]
  ) -> [ServedModel] {
    zip(names, indices).enumerated().map { index, named in
      let folder = named.0
      var model = models[named.1]
      model.name = folder.name
      let own = others.filter { $0.model == folder.name || $0.model == nil && index == 0 }
      model.aliases = []
      for other in own.map(\.name) where ![anyName, model.name].contains(other) {
        if !model.aliases.contains(other) { model.aliases.append(other) }
      }
      model.takesAnyName = own.contains { $0.name == anyName }
      model.hubNames = hubName(of: folder).map { [$0] } ?? []
      return model
    }
  }

  private static let anyName = "*"

  /// `OWNER/NAME` as `config.json` has it, if NAME is the folder's. Of a model that was trained from
  /// another one it is the other's, whose vectors are not to be had here.
  static func hubName(of folder: ModelFolder) -> String? {
    guard let file = try? JSONFile(path: "\(folder.path)/config.json"),
      let name = [file["_name_or_path"], file["name_or_path"]].lazy.compactMap({ value in
        if case .string(let name) = value { name } else { nil }
      }).first
    else { return nil }
    let parts = RawText(name).split(UInt8(ascii: "/"))
    let own = RawText(ModelFolder.name(of: folder.path))
    guard parts.count == 2, !parts[0].isEmpty, parts[1] == own else { return nil }
    return name
  }
}
