import FoundationEssentials
public import Serving
import Synchronization

/// Notices model files that change under the running server.
///
/// Nothing is read again: the models in memory are those that were loaded. A change is told in the
/// log and in `/metrics`, because a restart would serve something else.
public final class ModelFileWatch: Sendable {
  /// No model has nearly as many.
  private static let maximumFileCount = 1_000

  private let paths: [String]
  private let loaded: [FileStamp?]
  private let watcher: FileWatcher
  private let changedCount = Atomic(0)

  /// - Parameter folders: the models', with all files below them but for hidden ones and Markdown.
  public init(_ folders: [String]) {
    let paths = folders.flatMap { folder in
      let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
      return names.sorted().filter { name in
        !name.hasSuffix(".md") && !name.split(separator: "/").contains { $0.hasPrefix(".") }
      }.prefix(Self.maximumFileCount).map { "\(folder)/\($0)" }
    }
    self.paths = paths
    loaded = paths.map { FileStamp($0) }
    watcher = FileWatcher(paths)
  }

  public var measurement: ProcessFacts.Measurement {
    ProcessFacts.Measurement(
      "bert_model_files_changed", .gauge,
      help: "Model files that are not as they were loaded. The models in use are the loaded ones."
    ) { [self] in Double(changedCount.load(ordering: .relaxed)) }
  }

  public func start(_ log: Log) {
    watcher.start { [self] in
      let changed = zip(paths, loaded).filter { path, stamp in FileStamp(path) != stamp }.map(\.0)
      changedCount.store(changed.count, ordering: .relaxed)
      log.warning(
        changed.isEmpty
          ? "the model files are again as they were loaded"
          : "model files changed after they were loaded: \(changed.joined(separator: ", ")); "
            + "the models in use are the loaded ones until a restart")
    }
  }
}
