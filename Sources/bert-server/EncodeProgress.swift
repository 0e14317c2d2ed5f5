import Bulk
import Glibc

/// What `encode` tells while it works: a line that changes on a terminal, a line now and then in a
/// log.
struct EncodeProgress {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let start = ContinuousClock.now
  private var last = ContinuousClock.now
  /// Nil: not known, as of a pipe.
  let inputBytes: Int?
  /// How much of what is left is this process's.
  let share: Double

  init(inputBytes: Int?, share: Double) {
    self.inputBytes = inputBytes
    self.share = share
  }

  mutating func show(_ progress: BulkJob.Progress) {
    let now = ContinuousClock.now
    guard now - last >= (isTerminal ? .milliseconds(200) : .seconds(10)) else { return }
    last = now
    let line = line(progress, seconds: (now - start) / .seconds(1))
    write(isTerminal ? "\r\(line)\u{1B}[K" : "bert-server: \(line)\n", to: STDERR_FILENO)
  }

  /// What comes next begins a line of its own.
  func clear() {
    if isTerminal { write("\r\u{1B}[K", to: STDERR_FILENO) }
  }

  func summary(_ progress: BulkJob.Progress) -> String {
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    var parts = ["\(progress.records) records", "\(progress.tokens) tokens"]
    if progress.rows > progress.records { parts.append("\(progress.rows) chunks") }
    if progress.truncated > 0 { parts.append("\(progress.truncated) cut to the limit") }
    if progress.skipped > 0 { parts.append("\(progress.skipped) left out") }
    parts.append("parts written: \(progress.parts)")
    if progress.partsBefore > 0 { parts.append("there already: \(progress.partsBefore)") }
    parts.append("\(rate(progress, seconds)) tokens/s")
    return parts.joined(separator: ", ")
  }

  private func rate(_ progress: BulkJob.Progress, _ seconds: Double) -> Int {
    Int(Double(progress.tokens) / max(seconds, 1e-3))
  }

  private func line(_ progress: BulkJob.Progress, seconds: Double) -> String {
    var line = "\(progress.records) records, \(rate(progress, seconds)) tokens/s"
    guard let inputBytes, inputBytes > 0 else { return line }
    line += ", \(progress.inputBytes * 100 / max(inputBytes, progress.inputBytes)) %"
    // What was passed over took no time, and says nothing of how long the rest takes.
    let encoded = Double(progress.inputBytes - progress.passedBytes)
    guard encoded > 0 else { return line }
    let rest = Double(max(0, inputBytes - progress.inputBytes)) * share
    let left = Int(min(seconds * rest / encoded, 1e9))
    line += ", \(left / 3600):\(two(left / 60 % 60)):\(two(left % 60)) left"
    return line
  }

  private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
