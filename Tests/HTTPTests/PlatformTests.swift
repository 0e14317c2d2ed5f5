import CPlatform
import FoundationEssentials
import Testing

/// What the process may use, read from made-up control group trees.
@Suite struct PlatformTests {
  private func tree<Result>(
    _ files: [String: String], _ body: (String) throws -> Result
  ) throws -> Result {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "cgroup-\(UInt64.random(in: 0 ... .max))")
    defer { try? FileManager.default.removeItem(at: root) }
    for (path, text) in files {
      let file = root.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    return try body(root.path)
  }

  private func limits(_ files: [String: String]) throws -> (cpu: Double, memory: UInt64) {
    try tree(files) { root in
      let cpu = unsafe platform_cgroup_cpu_quota_below(root)
      let memory = unsafe platform_cgroup_memory_limit_below(root)
      return (cpu, memory)
    }
  }

  @Test func theSmallestLimitOfTheGroupsAboveBinds() throws {
    let found = try limits([
      "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n",
      "sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/memory.max": "max\n",
      "sys/fs/cgroup/a/b/memory.max": "1073741824\n",
    ])
    #expect(found.cpu == 1.5)
    #expect(found.memory == 1 << 30)
  }

  @Test func aNamespacedGroupIsAtTheRoot() throws {
    let found = try limits([
      "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n",
      "sys/fs/cgroup/memory.max": "5000\n",
    ])
    #expect(found.cpu == 0.5)
    #expect(found.memory == 5000)
  }

  @Test func versionOneIsRead() throws {
    let found = try limits([
      "proc/self/cgroup": "9:memory:/docker/x\n7:cpu,cpuacct:/docker/x\n4:cpuset:/docker/x\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/cpuset/cpu.cfs_quota_us": "1\n",
      "sys/fs/cgroup/cpuset/cpu.cfs_period_us": "100000\n",
    ])
    #expect(found.cpu == 2)
    #expect(found.memory == 0)
  }

  @Test func versionOneMemoryIsRead() throws {
    let found = try limits([
      "proc/self/cgroup": "4:memory:/pod/x\n2:cpuacct:/\n0::/\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "67108864\n",
      "sys/fs/cgroup/memory/pod/x/memory.limit_in_bytes": "134217728\n",
    ])
    #expect(found == (0, 64 << 20))
  }

  @Test func noLimitIsZero() throws {
    let none = try limits([:])
    #expect(none == (0, 0))
    let unlimited = try limits([
      "proc/self/cgroup": "4:cpu:/x\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
    ])
    #expect(unlimited == (0, 0))
  }

  @Test func nodesAndTheirProcessorsAreRead() throws {
    let files = [
      "sys/devices/system/node/online": "0,2-3\n",
      "sys/devices/system/node/node0/cpulist": "0,100000-100003\n",
      "sys/devices/system/node/node2/cpulist": "\n",
      "sys/devices/system/node/node3/cpulist": "0-99999999999999999999,-5,x\n",
    ]
    try tree(files) { root in
      var numbers = [Int32](repeating: -1, count: 8)
      #expect(unsafe platform_nodes_below(root, &numbers, 8) == 3)
      #expect(numbers.prefix(3) == [0, 2, 3])
      #expect(unsafe platform_nodes_below(root, &numbers, 2) == 2)
      // Some CPU is there; of others of the list this process runs on none.
      #expect(unsafe platform_node_cpus_below(root, 0, &numbers, 8) <= 1)
      #expect(unsafe platform_node_cpus_below(root, 2, &numbers, 8) == 0)
      #expect(unsafe platform_node_cpus_below(root, 3, &numbers, 8) <= 8)
      #expect(unsafe platform_node_cpus_below(root, 1, &numbers, 8) == 0)
    }
    var none: Int32 = 70_000
    #expect(unsafe platform_run_on(&none, 1) == -1)
  }

  @Test func thisProcessHasProcessorsAndMemory() {
    #expect(platform_cpu_affinity_count() >= 1)
    #expect(platform_resident_bytes() > 1 << 20)
    #expect(platform_cgroup_cpu_quota() >= 0)
  }
}
