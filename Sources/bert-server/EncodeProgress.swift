import Bulk
import Glibc

/// What `encode` tells while it works: a line that changes on a terminal, a line now and then in a
/// log.
struct EncodeProgress {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let start = ContinuousClock.now
  private var last = ContinuousClock.now
  /// Nil: not known, as of a pipe.
  let inputBytes: UInt64?

  init(inputBytes: UInt64?) { self.inputBytes = inputBytes }

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
    guard let inputBytes, inputBytes > 0, progress.inputBytes > 0 else { return line }
    let share = min(1, Double(progress.inputBytes) / Double(inputBytes))
    let left = Int(seconds * (1 - share) / share)
    line += ", \(Int(share * 100)) %, \(left / 3600):\(two(left / 60 % 60)):\(two(left % 60)) left"
    return line
  }

  private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
