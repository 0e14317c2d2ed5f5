import BERT
import CPlatform
import FoundationEssentials
import Synchronization
import Testing

@testable import Models

/// Where threads run, by made-up files of the kernel. Those of CPUs that this process may not use do not count, so that
/// nodes here have the CPUs that there are.
struct NUMANodesTests {
  private func nodes(_ threadCount: Int, _ lists: [String]) throws -> NUMANodes {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "nodes-\(UInt64.random(in: 0 ... .max))")
    defer { try? FileManager.default.removeItem(at: root) }
    let system = root.appending(path: "sys/devices/system/node")
    for (index, list) in lists.enumerated() {
      let node = system.appending(path: "node\(index)")
      try FileManager.default.createDirectory(at: node, withIntermediateDirectories: true)
      try Data("\(list)\n".utf8).write(to: node.appending(path: "cpulist"))
    }
    try Data("0-\(lists.count - 1)\n".utf8).write(to: system.appending(path: "online"))
    return NUMANodes(threadCount: threadCount, root: root.path)
  }

  @Test func oneNodeIsLeftToTheSystem() throws {
    let alone = try nodes(3, ["0-63"])
    #expect(alone.count == 1)
    #expect(alone.ofThreads == [0, 0, 0])
    #expect(NUMANodes(threadCount: 2, root: "/nothing/there").ofThreads == [0, 0])
  }

  /// The first CPU is there on every machine that runs this.
  @Test func threadsThatFitOneNodeAreLeftToTheSystem() throws {
    #expect(try nodes(1, ["0", "1"]).ofThreads == [0])
    #expect(try nodes(4, ["0", "70000-70010"]).count == 1)
    #expect(try nodes(9, ["", "0", ""]).count == 1)
  }

  @Test(.enabled(if: ThreadCount(setting: 0).count >= 2, "two CPUs"))
  func threadsAreSharedInProportion() throws {
    let all = NUMANodes(threadCount: 5, root: "")
    #expect(all.ofThreads.count == 5)
    let two = try nodes(5, ["0", "1"])
    #expect(two.count == 2)
    #expect(two.cpus == [[0], [1]])
    #expect(two.ofThreads == [0, 0, 1, 1, 1])
  }

  @Test(.enabled(if: ThreadCount(setting: 0).count >= 2, "two CPUs"))
  func threadsRunWhereTheyAreBound() async throws {
    let two = try nodes(5, ["0", "1"])
    let found = Mutex<[Int: Int32]>([:])
    let threads = try ComputeThreads(count: 5, nodes: two.ofThreads) { thread in
      two.bind(thread)
      let cpus = platform_cpu_affinity_count()
      found.withLock { $0[thread] = cpus }
    }
    for _ in 0..<1000 where found.withLock({ $0.count }) < threads.count {
      try await Task.sleep(for: .milliseconds(10))
    }
    // Of a node's only CPU.
    #expect(found.withLock { $0 } == [0: 1, 1: 1, 2: 1, 3: 1, 4: 1])
    #expect(platform_cpu_affinity_count() > 1)
    #expect(try ComputeThreads(on: two).count == 5)
  }
}
