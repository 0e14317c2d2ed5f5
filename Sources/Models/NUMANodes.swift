public import BERT
import CPlatform

/// Where compute threads run on a machine whose memory is in parts (NUMA nodes), each near to some CPUs.
///
/// Threads that the CPUs of one node are enough for run wherever the system puts them: it moves them as other
/// processes come and go. More threads are bound, each to the CPUs of a node, in proportion to these, and every node has
/// the weights in its own memory.
public struct NUMANodes: Equatable, Sendable {
  /// CPUs of each node that has threads; empty where threads are not bound.
  let cpus: [[Int32]]
  /// The node of each thread, an index of `cpus` in rising order; all 0 where threads are not bound.
  public let ofThreads: [Int]

  /// - Parameters:
  ///   - threadCount: at least 1.
  ///   - root: before `/sys`; "" for the machine's own.
  public init(threadCount: Int, root: String = "") {
    var ids = [Int32](repeating: 0, count: 1024)
    ids.removeLast(ids.count - Int(unsafe platform_nodes_below(root, &ids, Int32(ids.count))))
    let all = ids.map { id in
      var cpus = [Int32](repeating: 0, count: 4096)
      let count = unsafe platform_node_cpus_below(root, id, &cpus, Int32(cpus.count))
      cpus.removeLast(cpus.count - Int(count))
      return cpus
    }
    let usable = all.filter { !$0.isEmpty }
    let cpuCount = usable.reduce(0) { $0 + $1.count }
    guard usable.count > 1, threadCount > usable.map(\.count).max()! else {
      cpus = []
      ofThreads = Array(repeating: 0, count: threadCount)
      return
    }
    var cpus: [[Int32]] = []
    var ofThreads: [Int] = []
    var before = 0
    for node in usable {
      before += node.count
      let end = threadCount * before / cpuCount
      // A small node may have none.
      guard end > ofThreads.count else { continue }
      ofThreads += Array(repeating: cpus.count, count: end - ofThreads.count)
      cpus.append(node)
    }
    self.cpus = cpus
    self.ofThreads = ofThreads
  }

  /// Nodes that have the weights.
  public var count: Int { max(1, cpus.count) }

  /// Binds the calling thread to the CPUs of a thread's node. Where the system refuses, it runs anywhere.
  public func bind(_ thread: Int) {
    guard !cpus.isEmpty else { return }
    let cpus = cpus[ofThreads[thread]]
    _ = unsafe platform_run_on(cpus, Int32(cpus.count))
  }
}

extension ComputeThreads {
  /// Threads that run where `nodes` says.
  public convenience init(on nodes: NUMANodes) throws(BERTError) {
    try self.init(count: nodes.ofThreads.count, nodes: nodes.ofThreads, onStart: nodes.bind)
  }
}
