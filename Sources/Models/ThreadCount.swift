import CPlatform

/// How many compute threads, and why that many.
public struct ThreadCount: Sendable {
  public let count: Int
  public let reason: String

  /// - Parameter setting: 0 for as many as the process may use.
  public init(setting: Int) {
    guard setting == 0 else {
      count = setting
      reason = "set to \(setting)"
      return
    }
    let affinity = max(1, Int(platform_cpu_affinity_count()))
    let quota = platform_cgroup_cpu_quota()
    // Rounded down: a thread that the quota cuts off in mid-pass holds up all the others.
    if quota > 0, Int(quota) < affinity {
      count = max(1, Int(quota))
      reason = "cgroup quota of \(quota) CPUs, rounded down, at least 1"
    } else {
      count = affinity
      reason = "\(affinity) CPUs in the affinity mask"
    }
  }
}
